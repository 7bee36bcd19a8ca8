import { createHash } from 'node:crypto'
import { Agent } from './support/agent.js'
import { expectErrorRedirect } from './support/answers.js'
import { authorizeUrl, CHALLENGE, getCode, redeem, redirectUriOf, s256, VERIFIER } from './support/flow.js'
import { type Host, startHost } from './support/host.js'
import { expectRefusal, expectTokens } from './support/token-endpoint.js'

let host: Host
beforeAll(async () => {
  host = await startHost()
})
afterAll(() => host.close())

const WITHOUT = { code_challenge: undefined, code_challenge_method: undefined }

/** What the client of a request with these parameters is told at its redirect URI. */
async function refused(client: string, params: Record<string, string | undefined>): Promise<URLSearchParams> {
  const page = await new Agent(host).get(authorizeUrl(host, { client, params }))
  const redirectUri = redirectUriOf(client)
  return expectErrorRedirect(host, page, 'invalid_request', { redirectUri })
}

describe('the challenge, at the authorization request', () => {
  test.each(['pub', 'nat', 'conf', 'post', 'first'])(
    'PKCE-01 PKCE-02 %s has to send one, and is told what to add',
    async (client) => {
      const description = (await refused(client, WITHOUT)).get('error_description')
      expect(description).toContain('code_challenge')
      expect(description).toContain('S256')
      await refused(client, { code_challenge: '', code_challenge_method: '' })
    },
  )

  test.each([
    ['plain', VERIFIER],
    [undefined, CHALLENGE],
    ['s256', CHALLENGE],
    ['S512', CHALLENGE],
    ['S256 ', CHALLENGE],
    ['', CHALLENGE],
  ])('PKCE-03 the method %p is refused', async (code_challenge_method, code_challenge) => {
    for (const client of ['conf', 'pub', 'nopkce'])
      await refused(client, { code_challenge, code_challenge_method })
  })

  test.each([
    ['42 characters', CHALLENGE.slice(1)],
    ['44 characters', `${CHALLENGE}A`],
    ['128 characters', 'a'.repeat(128)],
    ['padding', `${CHALLENGE.slice(1)}=`],
    ['padding beyond', `${CHALLENGE}=`],
    ['a plus', `${CHALLENGE.slice(1)}+`],
    ['a slash', `${CHALLENGE.slice(1)}/`],
    ['a tilde', `${CHALLENGE.slice(1)}~`],
    ['a space', `${CHALLENGE.slice(1)} `],
    ['a line break', `${CHALLENGE}\n`],
    ['NUL', `${CHALLENGE.slice(1)}\0`],
    ['what is not ASCII', `${CHALLENGE.slice(1)}é`],
    ['4000 characters', 'a'.repeat(4000)],
  ])('PKCE-04 a challenge with %s is refused', async (_, code_challenge) => {
    for (const client of ['conf', 'pub', 'nopkce']) await refused(client, { code_challenge })
  })

  test('a method without a challenge is refused, also where PKCE may be left out', async () => {
    await refused('nopkce', { code_challenge: undefined })
  })
})

describe('the verifier, at the token request', () => {
  test.each(['conf', 'post', 'pub', 'nat', 'nopkce'])('PKCE-05 %s has to send it', async (client) => {
    const { code } = await getCode(host, { client })
    expectRefusal(
      await redeem(host, code, { client, form: { code_verifier: undefined } }),
      400,
      'invalid_grant',
    )
    expectRefusal(await redeem(host, code, { client, form: { code_verifier: '' } }), 400, 'invalid_grant')
    expectTokens(await redeem(host, code, { client }))
  })

  test.each([
    ['another one', `${VERIFIER.slice(0, -1)}X`],
    ['in capitals', VERIFIER.toUpperCase()],
    ['cut', VERIFIER.slice(0, -1)],
    ['the challenge itself', CHALLENGE],
    ['the hash in hexadecimal', createHash('sha256').update(VERIFIER).digest('hex')],
  ])('PKCE-06 %s does not match', async (_, code_verifier) => {
    for (const client of ['conf', 'pub', 'nopkce']) {
      const { code } = await getCode(host, { client })
      expectRefusal(await redeem(host, code, { client, form: { code_verifier } }), 400, 'invalid_grant')
      expectTokens(await redeem(host, code, { client }))
    }
  })

  test.each([
    ['three characters', 'abc'],
    ['42 characters', 'a'.repeat(42)],
    ['129 characters', 'a'.repeat(129)],
    ['a space', `${'a'.repeat(43)} b`],
    ['a plus', `${'a'.repeat(43)}+`],
    ['a line break', `${'a'.repeat(43)}\n`],
    ['what is not ASCII', `${'a'.repeat(43)}é`],
    ['64 KB', 'a'.repeat(60_000)],
  ])('PKCE-07 %s is refused although the hash is right', async (_, code_verifier) => {
    const { code } = await getCode(host, { params: { code_challenge: s256(code_verifier) } })
    expectRefusal(await redeem(host, code, { form: { code_verifier } }), 400, 'invalid_grant')
  })

  test.each([
    ['43 characters', 'a'.repeat(43)],
    ['128 characters', 'a'.repeat(128)],
    ['every character that may be', `${'A-Za-z0-9._~'.repeat(4)}`],
  ])('PKCE-07 %s is a verifier', async (_, code_verifier) => {
    const { code } = await getCode(host, { params: { code_challenge: s256(code_verifier) } })
    expectTokens(await redeem(host, code, { form: { code_verifier } }))
  })

  test('PKCE-08 a verifier for a code without a challenge is refused: somebody took the challenge out on the way', async () => {
    const { code } = await getCode(host, { client: 'nopkce', params: WITHOUT })
    expectRefusal(await redeem(host, code, { client: 'nopkce' }), 400, 'invalid_grant')
    expectTokens(await redeem(host, code, { client: 'nopkce', form: { code_verifier: undefined } }))
  })

  test('PKCE-02 a client with require_pkce: false may leave PKCE out, nonce too', async () => {
    for (const nonce of [undefined, 'n-0S6_WzA2Mj']) {
      const { code } = await getCode(host, { client: 'nopkce', params: { ...WITHOUT, nonce } })
      expectTokens(await redeem(host, code, { client: 'nopkce', form: { code_verifier: undefined } }))
    }
  })

  test('PKCE-09 wrong ones do not kill a code at once, but nobody gets to try many', async () => {
    const { code: patient } = await getCode(host, { client: 'pub' })
    const { code } = await getCode(host, { client: 'pub' })
    const wrong = (value: string, at: number) =>
      redeem(host, value, { client: 'pub', form: { code_verifier: `${VERIFIER}${at}` } })
    for (let at = 0; at < 4; at++) expectRefusal(await wrong(patient, at), 400, 'invalid_grant')
    expectTokens(await redeem(host, patient, { client: 'pub' }))
    for (let at = 0; at < 5; at++) expectRefusal(await wrong(code, at), 400, 'invalid_grant')
    expectRefusal(await redeem(host, code, { client: 'pub' }), 400, 'invalid_grant')
    expectRefusal(await wrong(code, 9), 400, 'invalid_grant')
  })

  test('PKCE-09 attempts at once are counted one by one', async () => {
    const { code } = await getCode(host, { client: 'pub' })
    const reasons = host.events.length
    await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        redeem(host, code, { client: 'pub', form: { code_verifier: `${VERIFIER}${at}` } }),
      ),
    )
    const told = host.events.slice(reasons).map(({ event }) => event.reason)
    expect(told.filter((reason) => reason === 'pkce_mismatch')).toHaveLength(5)
    expect(told.filter((reason) => reason === 'pkce_too_many_failures')).toHaveLength(45)
    expectRefusal(await redeem(host, code, { client: 'pub' }), 400, 'invalid_grant')
  })

  test('PKCE-09 a stranger without the client cannot use up its tries', async () => {
    const { code } = await getCode(host)
    for (let at = 0; at < 10; at++) {
      const form = { code_verifier: `${VERIFIER}${at}` }
      expectRefusal(await redeem(host, code, { client: 'conf2', form }), 400, 'invalid_grant')
      expectRefusal(await redeem(host, code, { client: 'pub', form }), 400, 'invalid_grant')
    }
    expectTokens(await redeem(host, code))
  })

  test('RFC 9700 §4.5 a code injected into another flow does not pass: its challenge is of the flow that asked', async () => {
    const mine = 'a-verifier-of-the-attacker-that-is-long-enough-01'
    const { code: victims } = await getCode(host, { client: 'pub', user: 'alice' })
    const { code } = await getCode(host, {
      client: 'pub',
      user: 'bob',
      params: { code_challenge: s256(mine) },
    })
    expectRefusal(
      await redeem(host, victims, { client: 'pub', form: { code_verifier: mine } }),
      400,
      'invalid_grant',
    )
    expectRefusal(await redeem(host, code, { client: 'pub' }), 400, 'invalid_grant')
  })
})

test('PKCE-10 the metadata name S256 and nothing else', async () => {
  for (const url of [
    `${host.issuer}/.well-known/oauth-authorization-server`,
    `${host.origin}/.well-known/oauth-authorization-server/oauth`,
  ]) {
    const metadata = (await (await fetch(url)).json()) as Record<string, unknown>
    expect(metadata.code_challenge_methods_supported).toEqual(['S256'])
  }
})
