import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtInLanguages, builtInTexts, FALLBACK } from './built-in-texts.js'
import { ConfigurationError } from './errors.js'
import type { Messages, OAuthProviderOptions } from './options.js'
import { suggestion } from './suggestion.js'
import { type Catalogue, placesIn } from './text.js'
import { anObject, describe } from './validation.js'

/** The texts of every language, by its BCP 47 tag. */
export interface Catalogues extends ReadonlyMap<string, Catalogue> {
  /** Its tag by the same in lower case, since tags are compared without case (RFC 5646 §2.1.1). */
  readonly tags: ReadonlyMap<string, string>
}

type Given = Pick<OAuthProviderOptions, 'messages' | 'templates' | 'scopes' | 'authorizationDetails'>

/** The built-in texts, and over them those of the host: of its folder `templates`, then of the option `messages`. */
export function loadCatalogues({ messages = {}, templates, ...sentences }: Given): Catalogues {
  const own = ownKeys(sentences)
  const builtIn = builtInLanguages().map((language): Layer => [language, builtInTexts(language)])
  const known = new Map(Object.entries(Object.fromEntries(builtIn)[FALLBACK] ?? {}))
  // The option's own sentence stands in for these.
  for (const key of own) known.set(key, '')
  const option = anObject('messages', messages)
  const off = Object.keys(option).filter((language) => option[language] === false)
  const layers = [
    ...builtIn.map(([language, texts]): Layer => [language, without(texts, own)]),
    ...(templates === undefined ? [] : ofFolder(join(templates, 'messages'), known)),
    ...ofOption(option, known),
  ]
  const leftOut = off.map((language) => canonical(`messages.${language}`, language))
  if (leftOut.includes(FALLBACK))
    throw new ConfigurationError(
      `messages.${FALLBACK}`,
      'is false',
      'English stays: it stands in for every text that another language leaves out.',
    )
  const languages = [...new Set(layers.map(([language]) => language))].filter(
    (language) => !leftOut.includes(language),
  )
  const catalogues = languages.map((language): [string, Catalogue] => [language, catalogue(language, layers)])
  const tags = new Map(languages.map((language) => [language.toLowerCase(), language]))
  return Object.assign(new Map(catalogues), { tags })
}

/** The keys of what the host says in other options, which nothing that is built in replaces. What a function says, only that function can. */
function ownKeys({ scopes = {}, authorizationDetails = {} }: Given): string[] {
  const types = Object.entries(authorizationDetails).filter(
    ([, type]) => typeof type.description === 'string',
  )
  return [...Object.keys(scopes).map((name) => `scope.${name}`), ...types.map(([type]) => `details.${type}`)]
}

/** Texts of one language, which replace those of the layers before. */
type Layer = readonly [language: string, texts: Messages]

/** Its texts are put together when somebody first speaks it. */
function catalogue(language: string, layers: readonly Layer[]): Catalogue {
  let texts: Messages | undefined
  return {
    language,
    get texts() {
      texts ??= completed(language, layers)
      return texts
    },
  }
}

/** A language that leaves a text out has that of the language that it is a kind of (`de-AT`, `de`), and then the English one. */
function completed(language: string, layers: readonly Layer[]): Messages {
  const direction = { 'language.dir': directionOf(language) }
  const chain = [FALLBACK, ...narrowings(language).reverse()]
  const texts = chain.flatMap((tag) => [
    ...(tag === FALLBACK ? [] : [direction]),
    ...layers.filter(([name]) => name === tag).map(([, given]) => given),
  ])
  return Object.assign({}, ...texts)
}

function ofOption(
  messages: NonNullable<OAuthProviderOptions['messages']>,
  known: ReadonlyMap<string, string>,
): Layer[] {
  return Object.entries(messages).flatMap(([language, texts]): Layer[] => {
    const option = `messages.${language}`
    if (texts === false) return []
    return [[canonical(option, language), checked(option, texts, known)]]
  })
}

function ofFolder(folder: string, known: ReadonlyMap<string, string>): Layer[] {
  const misplaced = namesIn(folder).find((name) => name.endsWith('.json'))
  if (misplaced !== undefined)
    throw new ConfigurationError(
      'templates',
      `has the file 'messages/${misplaced}', which is of no language`,
      `Put it into the folder of one: messages/de/${misplaced}.`,
    )
  return namesIn(folder, { onlyFolders: true }).flatMap((language) => {
    const tag = canonical(`templates: messages/${language}`, language)
    return namesIn(join(folder, language))
      .filter((file) => file.endsWith('.json'))
      .map((file): Layer => {
        const option = `templates: messages/${language}/${file}`
        return [tag, checked(option, read(option, join(folder, language, file)), known)]
      })
  })
}

function read(option: string, path: string): Messages {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const remedy = 'Write an object: { "consent.deny": "No" }.'
    throw new ConfigurationError(option, `is not JSON: ${(error as Error).message}`, remedy, error)
  }
}

function checked(option: string, texts: Messages, known: ReadonlyMap<string, string>): Messages {
  for (const [key, text] of Object.entries(anObject(option, texts, 'Pass texts by key.')))
    checkText(`${option}['${key}']`, key, text, known)
  // What the host does to its object later changes no page.
  return { ...texts }
}

function checkText(option: string, key: string, text: unknown, known: ReadonlyMap<string, string>): void {
  const english = known.get(key)
  if (english === undefined) {
    const meant = suggestion(key, [...known.keys()])
    const remedy = meant
      ? `Did you mean '${meant}'?`
      : 'The keys lie in templates/messages/en of this package.'
    throw new ConfigurationError(option, 'is no text of a page', remedy)
  }
  if (typeof text !== 'string' || text.trim() === '')
    throw new ConfigurationError(option, `is ${describe(text)}`, 'Give a text, or leave it out.')
  if (key === 'language.dir' && text !== 'ltr' && text !== 'rtl')
    throw new ConfigurationError(option, `is ${describe(text)}`, "Pass 'ltr' or 'rtl'.")
  const places = placesIn(english)
  const unknown = placesIn(text).find((place) => !places.includes(place))
  if (unknown === undefined) return
  const has = places.length === 0 ? 'It has none.' : `It has {${[...new Set(places)].join('}, {')}}.`
  throw new ConfigurationError(option, `has {${unknown}}, which is no place in this text`, has)
}

function canonical(option: string, language: string): string {
  try {
    const [tag] = Intl.getCanonicalLocales(language)
    if (tag !== undefined && /^[a-z]{2,3}(?:-|$)/.test(tag)) return tag
  } catch {
    // It is no language tag at all.
  }
  throw new ConfigurationError(option, 'names no language', "Name it by its BCP 47 tag: 'de', 'pt-BR'.")
}

/** The scripts that are written from right to left. */
const RIGHT_TO_LEFT = ['Adlm', 'Arab', 'Aran', 'Hebr', 'Mand', 'Nkoo', 'Rohg', 'Samr', 'Syrc', 'Thaa']

function directionOf(language: string): 'ltr' | 'rtl' {
  const { script = '' } = new Intl.Locale(language).maximize()
  return RIGHT_TO_LEFT.includes(script) ? 'rtl' : 'ltr'
}

function without(texts: Messages, keys: readonly string[]): Messages {
  if (!keys.some((key) => Object.hasOwn(texts, key))) return texts
  return Object.fromEntries(Object.entries(texts).filter(([key]) => !keys.includes(key)))
}

function namesIn(folder: string, { onlyFolders = false } = {}): string[] {
  // Of a path that is no folder there are none; whether the option names a folder is checked where its pages are read.
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.filter((entry) => !onlyFolders || entry.isDirectory()).map(({ name }) => name)
}

/** A tag and what it is a kind of, the narrowest first: `zh-Hant-TW`, `zh-Hant`, `zh`. */
function narrowings(tag: string): string[] {
  const parts = tag.split('-')
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('-'))
}

/** The language of a page. */
export interface ChosenLanguage {
  /** BCP 47 */
  readonly language: string
  /** It, behind the narrower tag that was wanted: `de-AT`, `de`. */
  readonly tags: readonly string[]
}

/** The catalogue that fits best, of languages most wanted first (RFC 4647 §3.4); English where none does. */
export function chooseLanguage({ tags: known }: Catalogues, wanted: readonly string[]): ChosenLanguage {
  for (const tag of wanted) {
    const tags = narrowings(tag)
    const index = tags.findIndex((narrowed) => known.has(narrowed.toLowerCase()))
    const language = known.get(tags[index]?.toLowerCase() ?? '')
    if (language !== undefined) return { language, tags: [...tags.slice(0, index), language] }
  }
  return { language: FALLBACK, tags: [FALLBACK] }
}
