import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { printable } from '../lib/errors.js'
import { ConfigurationError, type OAuthProviderOptions } from '../lib/index.js'
import { loadCatalogues } from '../lib/messages.js'
import { placesIn, textOf } from '../lib/text.js'

const root = path.resolve(import.meta.dirname, '..')
const folder = path.join(root, 'templates/messages')
const languages = ['ar', 'de', 'en', 'es', 'fr']
const sections = readdirSync(path.join(folder, 'en')).map((file) => path.basename(file, '.json'))

function section(language: string, name: string): Record<string, string> {
  return JSON.parse(readFileSync(path.join(folder, language, `${name}.json`), 'utf8'))
}

const english = Object.assign({}, ...sections.map((name) => section('en', name))) as Record<string, string>

describe('the built-in texts', () => {
  test('are there in English and four more languages, with the same sections in each', () => {
    expect(readdirSync(folder).sort()).toEqual(languages)
    for (const language of languages)
      expect([language, readdirSync(path.join(folder, language)).sort()]).toEqual([
        language,
        sections.map((name) => `${name}.json`).sort(),
      ])
  })

  test.each(sections)(
    '%s: every language has the same keys and the same places, none of them empty',
    (name) => {
      const known = section('en', name)
      for (const key of Object.keys(known)) expect(key).toMatch(new RegExp(`^${name}(\\.[a-z0-9_-]+)+$`))
      for (const language of languages) {
        const texts = section(language, name)
        expect([language, Object.keys(texts)]).toEqual([language, Object.keys(known)])
        for (const [key, text] of Object.entries(texts)) {
          expect([language, key, placesIn(text).toSorted()]).toEqual([
            language,
            key,
            placesIn(known[key] ?? '').toSorted(),
          ])
          expect([language, key, text.trim()]).toEqual([language, key, text])
          expect([language, key, text === '']).toEqual([language, key, false])
          // A text is text: what looks like HTML in it would be shown as it stands.
          expect(text).not.toMatch(/<[a-z/]|&[a-z]+;|\$\{|%>/i)
        }
      }
    },
  )

  test('Arabic is written from right to left, and in its own letters', () => {
    expect(section('ar', 'language')['language.dir']).toBe('rtl')
    for (const name of sections)
      for (const [key, text] of Object.entries(section('ar', name)))
        if (key !== 'language.dir' && text.replaceAll(/\{\w+\}/g, '').trim() !== '')
          expect([key, /[\u0600-\u06ff]|^[A-Z][\w-]*( \w+)?$/.test(text)]).toEqual([key, true])
  })

  test('one thing is called the same wherever it stands', () => {
    for (const language of languages) {
      const texts = Object.assign({}, ...sections.map((name) => section(language, name)))
      expect([texts['consent.approve'], texts['consent.deny']]).toEqual([
        texts['device.approve'],
        texts['device.deny'],
      ])
      expect(texts['account.applications']).toBe(texts['authorized.title'])
    }
  })

  test('no text was left in English', () => {
    const same = languages
      .filter((language) => language !== 'en')
      .flatMap((language) =>
        sections.flatMap((name) =>
          Object.entries(section(language, name))
            .filter(([key, text]) => text === english[key] && / .* /.test(text.replaceAll(/\{\w+\}/g, '')))
            .map(([key]) => `${language}: ${key}`),
        ),
      )
    expect(same).toEqual([])
  })

  test('what is told in English to clients has the characters that RFC 6749 §5.2 allows', () => {
    for (const [key, text] of Object.entries(english))
      if (key.endsWith('.message') || key.startsWith('error.mismatch.'))
        expect([key, printable(text)]).toEqual([key, text])
  })
})

/** Every file that speaks. */
const templates = sourcesIn(path.join(root, 'templates'), '.ejs')
const library = sourcesIn(path.join(root, 'lib'), '.ts')

function sourcesIn(from: string, ending: string): Record<string, string> {
  const files = readdirSync(from, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith(ending),
  )
  return Object.fromEntries(files.map((file) => [file, readFileSync(path.join(from, file), 'utf8')]))
}

describe('the texts and the code', () => {
  const events = new Set(
    [...(library['events.ts'] ?? '').matchAll(/^ {2}(?:readonly )?'([a-z_.]+)'/gm)].map(([, name]) => name),
  )
  const code = Object.values({ ...templates, ...library }).join('\n')
  const names = sections.join('|')
  const named = [...code.matchAll(new RegExp(`(['"\`])((?:${names})\\.[a-z0-9_.-]+)\\1`, 'g'))]
    .map(([, , key]) => key ?? '')
    .filter((key) => !events.has(key) && !key.endsWith('.ejs'))
  // One that ends with a dot has the rest of it from a value, and so has one with a value within.
  const beginnings = named.filter((key) => key.endsWith('.'))
  const patterns = [...code.matchAll(new RegExp(`\`((?:${names})\\.[a-z0-9_.-]*\\$\\{[^\`]*)\``, 'g'))].map(
    ([, pattern = '']) =>
      new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll(/\$\{[^}]*\}/g, '[a-z0-9_.-]+')}$`),
  )
  /** An error page names the beginning of its three. */
  const parts = ['heading', 'message', 'hint']
  const isThere = (key: string) =>
    key in english || `${key}.heading` in english || `${key}.message` in english

  test('every key that a template or a file of lib names is there', () => {
    expect(named.length).toBeGreaterThan(100)
    expect([...new Set(named)].filter((key) => !key.endsWith('.') && !isThere(key))).toEqual([])
    for (const beginning of beginnings)
      expect([beginning, Object.keys(english).some((key) => key.startsWith(beginning))]).toEqual([
        beginning,
        true,
      ])
  })

  test('every text is named somewhere', () => {
    const used = new Set(named.flatMap((key) => [key, ...parts.map((part) => `${key}.${part}`)]))
    const unused = Object.keys(english).filter(
      (key) =>
        key !== 'language.dir' &&
        !used.has(key) &&
        !beginnings.some((beginning) => key.startsWith(beginning)) &&
        !patterns.some((pattern) => pattern.test(key)),
    )
    expect(unused).toEqual([])
  })

  test('every key that an error page is made of has a heading', () => {
    const keys = [
      ...Object.values(library)
        .join('\n')
        .matchAll(/PageError\([^{}]*\{\s*key: '([a-z_.]+)'/g),
    ]
    expect(keys.length).toBeGreaterThan(5)
    for (const [, key] of keys) expect(`${key}.heading` in english ? '' : key).toBe('')
  })

  test.each(Object.keys(templates))('%s has no words of its own', (file) => {
    const html = (templates[file] ?? '')
      .replace(/<style.*?<\/style>|<script.*?<\/script>/gs, '')
      .replace(/<!DOCTYPE html>/, '')
    // What reads from left to right in every language is a name of the specifications or of a record.
    const withoutCode = html.replace(/<%.*?%>/gs, '').replace(/<bdi dir="ltr">[\w ]*<\/bdi>/g, '')
    expect(withoutCode.replace(/<[^>]*>/g, '').replace(/&\w+;/g, '')).not.toMatch(/\p{L}/u)
    for (const [attribute] of withoutCode.matchAll(
      /\b(?:placeholder|title|alt|aria-label|aria-description)="[^"]*"/g,
    ))
      expect(attribute).toMatch(/=""$/)
    // In the code: a comment may have words, and a key is one word.
    const inCode = [...html.matchAll(/<%(?!#)(.*?)%>/gs)].map(([, inner = '']) => inner).join('\n')
    for (const [literal] of inCode.matchAll(/'[^'\n]*'|"[^"\n]*"/g))
      expect(literal).not.toMatch(/\p{L}+ \p{L}+/u)
  })

  test('no endpoint gives a page words of its own', () => {
    const speaking = Object.entries(library).filter(([file]) => /^(?:endpoints|http|requests)\//.test(file))
    for (const [file, source] of speaking)
      expect([
        file,
        source.match(
          /\bpage\(\s*'[\w-]+',\s*['"`]|\b(?:notice|heading|hint|label)(?: =|:) (?:'[^']* |"[^"]* |`)/g,
        ),
      ]).toEqual([file, null])
  })
})

describe('a text with places', () => {
  const catalogue = (text: string) => ({ language: 'en', texts: { text } })
  const fill = (text: string, values: Record<string, string>) =>
    textOf(catalogue(text), { key: 'text', values })

  test('is filled once: what stands in a place is not looked at again', () => {
    expect(fill('{client} at {app}', { client: '{app}', app: '{client}' })).toBe('{app} at {client}')
  })

  test('takes $ and backslashes as they are', () => {
    expect(fill('a {client} b', { client: "$&$1$`$'$$\\" })).toBe("a $&$1$`$'$$\\ b")
  })

  test('has nothing from Object.prototype', () => {
    expect(fill('{constructor} {toString} {__proto__}', {})).toBe('{constructor} {toString} {__proto__}')
    expect(textOf(catalogue(''), { key: 'constructor' })).toBe('constructor')
    expect(textOf(catalogue(''), { key: '__proto__', otherwise: 'nothing' })).toBe('nothing')
  })

  test('may hold a text, a list of them or a time', () => {
    const texts = { text: 'Wait {when}: {what}', one: 'the {thing}', two: 'more' }
    const what = [{ key: 'one', values: { thing: '{when}' } }, { key: 'two' }]
    const values = { when: { inMinutes: 5 }, what }
    expect(textOf({ language: 'en', texts }, { key: 'text', values })).toBe(
      'Wait in 5 minutes: the {when}, more',
    )
    expect(textOf({ language: 'de', texts }, { key: 'text', values })).toBe(
      'Wait in 5 Minuten: the {when}, more',
    )
  })
})

type Given = Pick<OAuthProviderOptions, 'messages' | 'templates' | 'scopes' | 'authorizationDetails'>

function textIn(given: Given, language: string, key: string): string | undefined {
  return loadCatalogues(given).get(language)?.texts[key]
}

function ownFolder(files: Record<string, string>): string {
  const templates = mkdtempSync(path.join(tmpdir(), 'oauth-messages-'))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(templates, 'messages', file)), { recursive: true })
    writeFileSync(path.join(templates, 'messages', file), text)
  }
  return templates
}

describe('the host', () => {
  test('replaces a text in one language, and all others stay', () => {
    const messages = { de: { 'device.approve': 'Ja' } }
    expect(textIn({ messages }, 'de', 'device.approve')).toBe('Ja')
    expect(textIn({ messages }, 'de', 'device.deny')).toBe('Ablehnen')
    expect(textIn({ messages }, 'fr', 'device.approve')).toBe('Autoriser')
  })

  test('replaces it by a file of its folder, over which the option counts', () => {
    const templates = ownFolder({
      'de/mine.json': '{ "device.approve": "Jawohl", "device.deny": "Nein" }',
      'de/README.md': 'not JSON',
    })
    const messages = { de: { 'device.approve': 'Ja' } }
    expect(textIn({ templates }, 'de', 'device.approve')).toBe('Jawohl')
    expect(textIn({ templates, messages }, 'de', 'device.approve')).toBe('Ja')
    expect(textIn({ templates, messages }, 'de', 'device.deny')).toBe('Nein')
  })

  test('may have a folder of pages without texts, and an own file beside the languages', () => {
    const templates = ownFolder({ 'README.md': 'Our texts' })
    expect([...loadCatalogues({ templates }).keys()].sort()).toEqual(languages)
    expect([...loadCatalogues({ templates: tmpdir() }).keys()].sort()).toEqual(languages)
  })

  test('adds a language, which is English where it says nothing', () => {
    const messages = { ja: { 'device.approve': '許可' } }
    expect(textIn({ messages }, 'ja', 'device.approve')).toBe('許可')
    expect(textIn({ messages }, 'ja', 'device.deny')).toBe('Deny')
    expect(textIn({ messages }, 'ja', 'language.dir')).toBe('ltr')
  })

  test('adds the kind of a language, which is that language where it says nothing', () => {
    const messages = {
      'de-at': { 'device.approve': 'Passt' },
      'zh-Hant-TW': {},
      zh: { 'device.deny': '拒绝' },
    }
    expect(textIn({ messages }, 'de-AT', 'device.approve')).toBe('Passt')
    expect(textIn({ messages }, 'de-AT', 'device.deny')).toBe('Ablehnen')
    expect(textIn({ messages }, 'zh-Hant-TW', 'device.deny')).toBe('拒绝')
  })

  test.each(['he', 'fa', 'ur', 'ckb', 'pa-Arab', 'ar-EG'])(
    'adds %s, which is written from right to left without saying so',
    (language) => {
      expect(textIn({ messages: { [language]: {} } }, language, 'language.dir')).toBe('rtl')
    },
  )

  test('adds a language of which nobody else knows anything', () => {
    expect(textIn({ messages: { tlh: { 'language.dir': 'rtl' } } }, 'tlh', 'language.dir')).toBe('rtl')
  })

  test('turns a language off, but not English', () => {
    expect([...loadCatalogues({ messages: { de: false, FR: false } }).keys()].sort()).toEqual([
      'ar',
      'en',
      'es',
    ])
    expect(() => loadCatalogues({ messages: { en: false } })).toThrow(/messages\.en is false\. English stays/)
  })

  test('says of its scopes in each language what it wants; its own sentence stands in, also for a scope of OpenID Connect', () => {
    const scopes = { photos: 'See your photos', email: { description: 'Write you mails' } }
    const messages = { de: { 'scope.photos': 'Ihre Fotos sehen' } }
    const given = { scopes, messages }
    expect(textIn(given, 'de', 'scope.photos')).toBe('Ihre Fotos sehen')
    expect(textIn(given, 'fr', 'scope.photos')).toBeUndefined()
    expect(textIn(given, 'de', 'scope.email')).toBeUndefined()
    expect(textIn(given, 'de', 'scope.profile')).toBe('Ihren Namen und Ihr Profil sehen')
    expect(
      textIn({ ...given, messages: { de: { 'scope.email': 'Ihnen schreiben' } } }, 'de', 'scope.email'),
    ).toBe('Ihnen schreiben')
  })

  const fixed = { schema: {}, description: 'Pay once' }
  const made = { schema: {}, description: () => 'Pay 5' }

  test('says the same of a type of details that has one sentence', () => {
    const messages = { de: { 'details.payment': 'Einmal zahlen' } }
    expect(textIn({ messages, authorizationDetails: { payment: fixed } }, 'de', 'details.payment')).toBe(
      'Einmal zahlen',
    )
  })

  test.each<[wrong: string, given: Given, says: RegExp]>([
    ['no object', { messages: 'de' as never }, /messages is 'de'/],
    ['no texts', { messages: { de: 'Ja' as never } }, /messages\.de is 'Ja'/],
    ['true', { messages: { de: true as never } }, /messages\.de is true/],
    [
      'no language',
      { messages: { german: {} } },
      /messages\.german names no language\. Name it by its BCP 47 tag/,
    ],
    ['no tag', { messages: { de_DE: {} } }, /messages\.de_DE names no language/],
    ['__proto__', { messages: JSON.parse('{"__proto__":{}}') }, /messages\.__proto__ names no language/],
    [
      'a misspelt key',
      { messages: { de: { 'device.aprove': 'Ja' } } },
      /messages\.de\['device\.aprove'\] is no text of a page\. Did you mean 'device\.approve'\?/,
    ],
    ['an unknown key', { messages: { de: { nonsense: 'Ja' } } }, /templates\/messages\/en of this package/],
    [
      'a key of Object.prototype',
      { messages: { de: { constructor: 'Ja' } } },
      /\['constructor'\] is no text/,
    ],
    [
      '__proto__ as a key',
      { messages: { de: JSON.parse('{"__proto__":"x"}') } },
      /\['__proto__'\] is no text/,
    ],
    [
      'a scope that is not there',
      { messages: { de: { 'scope.photos': 'x' } } },
      /\['scope\.photos'\] is no text/,
    ],
    [
      'a type whose sentence is made by a function',
      { authorizationDetails: { payment: made }, messages: { de: { 'details.payment': 'x' } } },
      /\['details\.payment'\] is no text/,
    ],
    [
      'no text',
      { messages: { de: { 'device.approve': 5 as never } } },
      /\['device\.approve'\] is 5\. Give a text/,
    ],
    [
      'an empty text',
      { messages: { de: { 'device.approve': ' ' } } },
      /\['device\.approve'\] is ' '\. Give a text/,
    ],
    [
      'a misspelt place',
      { messages: { de: { 'answer.title': 'Zu {cleint}' } } },
      /\['answer\.title'\] has \{cleint\}, which is no place in this text\. It has \{client\}\./,
    ],
    ['a place where there is none', { messages: { de: { 'device.deny': '{a}' } } }, /It has none\./],
    [
      'a direction that is none',
      { messages: { ja: { 'language.dir': 'up' } } },
      /is 'up'\. Pass 'ltr' or 'rtl'\./,
    ],
  ])('%s in the option is a ConfigurationError that says how to mend it', (_, given, says) => {
    expect(() => loadCatalogues(given)).toThrow(ConfigurationError)
    expect(() => loadCatalogues(given)).toThrow(says)
  })

  test.each<[wrong: string, file: string, text: string, says: RegExp]>([
    [
      'no JSON',
      'de/a.json',
      '{ "device.deny": }',
      /templates: messages\/de\/a\.json is not JSON: .*\. Write an object/,
    ],
    ['an array', 'de/a.json', '[]', /templates: messages\/de\/a\.json is an array/],
    ['null', 'de/a.json', 'null', /templates: messages\/de\/a\.json is null/],
    [
      'a misspelt key',
      'de/a.json',
      '{"device.dony":"x"}',
      /messages\/de\/a\.json\['device\.dony'\] is no text of a page/,
    ],
    [
      'a misspelt place',
      'de/a.json',
      '{"device.deny":"{x}"}',
      /messages\/de\/a\.json\['device\.deny'\] has \{x\}/,
    ],
    ['no language', 'deutsch/a.json', '{}', /templates: messages\/deutsch names no language/],
    [
      'a file of no language',
      'a.json',
      '{}',
      /has the file 'messages\/a\.json', which is of no language\. Put it/,
    ],
  ])('%s in the folder is one that names the file', (_, file, text, says) => {
    const templates = ownFolder({ [file]: text })
    expect(() => loadCatalogues({ templates })).toThrow(ConfigurationError)
    expect(() => loadCatalogues({ templates })).toThrow(says)
  })
})
