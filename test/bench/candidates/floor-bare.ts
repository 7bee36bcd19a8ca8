import { type Candidate, LIFETIME, randomToken, signedInAs, userCookies } from './candidate.js'
import { introspection, mountParsed, redirectWith, tokenAnswer } from './floor.js'

/** Express with the same parsing and answers, and nothing behind it: what is known of a token is made up. */
export const bareFloor: Candidate = async (app) => {
  mountParsed(app, {
    authorize: (query, cookie) => {
      if (signedInAs(cookie) === undefined) throw new Error('Nobody is signed in.')
      return redirectWith(query.redirect_uri ?? '', randomToken(), query.state ?? '')
    },
    clientCredentials: () => tokenAnswer(randomToken()),
    redeem: () => tokenAnswer(randomToken(), randomToken()),
    refresh: () => tokenAnswer(randomToken(), randomToken()),
    introspect: () => introspection('user-1', Date.now() + LIFETIME * 1000),
    mayRead: () => true,
  })
  return { samples: [randomToken()], cookies: userCookies() }
}
