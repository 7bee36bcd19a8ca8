import type { FoundRecord, RecordKind } from '../store/records.js'
import { areTexts, type Check, isFlag, isObject, isText, isTime } from '../store/shapes.js'

const isNumber: Check = (value) => Number.isFinite(value)
/** BASE64URL(SHA256(verifier)) (RFC 7636 §4.2). */
const isChallenge: Check = (value) => typeof value === 'string' && /^[\w-]{43}$/.test(value)
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

/** An object with at least these members. What it has beside them is of a newer version, and is let be. */
function holding(members: Readonly<Record<string, Check>>): Check {
  const [names, checks] = [Object.keys(members), Object.values(members)]
  return (value) => {
    if (!isObject(value)) return false
    // Each access token that is used comes by here.
    for (let index = 0; index < names.length; index++)
      if (checks[index]?.((value as Record<string, unknown>)[names[index] ?? '']) !== true) return false
    return true
  }
}

const details = maybe((value) => Array.isArray(value) && value.every(holding({ type: isText })))
const claimsRequest = maybe(holding({ userinfo: areTexts, idToken: areTexts }))
const confirmation = maybe(holding({ jkt: maybe(isText), 'x5t#S256': maybe(isText) }))
const authentication = holding({
  authTime: maybe(isNumber),
  acr: maybe(isText),
  amr: maybe(areTexts),
  session: maybe(isText),
})
const actor: Check = holding({
  sub: isText,
  client_id: maybe(isText),
  act: maybe((value) => actor(value)),
})

const request = holding({
  ...{ clientId: isText, redirectUri: isText, responseMode: isText, state: maybe(isText), scopes: areTexts },
  ...{ redirectUriLeftOut: maybe(isFlag), resources: areTexts, prompts: areTexts, nonce: maybe(isText) },
  ...{ codeChallenge: maybe(isChallenge), dpopJkt: maybe(isText), maxAge: maybe(isNumber) },
  ...{ authTimeRequired: maybe(isFlag), essentialAcr: maybe(areTexts), subs: maybe(areTexts) },
  ...{ claims: claimsRequest, claimsBeyondScopes: maybe(areTexts), authorizationDetails: details },
  ...{ loginHints: isObject, receivedAt: isTime },
})
const visit = {
  ...{ browser: isText, userId: maybe(isText), newScopes: maybe(areTexts) },
  ...{ signedOut: maybe(isFlag), returnedAt: maybe(isTime) },
}
const waiting = holding({ ...visit, logins: isNumber, request })
const waitingPushed = holding({ ...visit, logins: isNumber, pushed: isText, receivedAt: isTime })
const trial = holding({ browser: (value) => value === '', clientId: isText, userId: isText })

const approval = {
  ...{ clientId: isText, userId: isText, scopes: areTexts, resources: areTexts },
  ...{ approvedAt: isTime, authentication, authorizationDetails: details },
}

/** What the data of a record have to hold. Of the kinds that are missing only their being there counts, or a number. */
const SHAPES: Partial<Record<RecordKind, Check>> = {
  access: holding({
    ...{ clientId: isText, clientSince: maybe(isTime), userId: maybe(isText), scopes: areTexts },
    ...{ audience: areTexts, claims: maybe(areTexts), issuedAt: isTime, confirmation },
    ...{ authentication: maybe(authentication), authorizationDetails: details, actor: maybe(actor) },
  }),
  refresh: holding({ ...approval, claims: claimsRequest, confirmation }),
  code: holding({
    ...{
      ...approval,
      redirectUri: isText,
      redirectUriLeftOut: maybe(isFlag),
      codeChallenge: maybe(isChallenge),
    },
    ...{ nonce: maybe(isText), dpopJkt: maybe(isText), claims: claimsRequest },
    ...{ endsWithLogin: maybe(isFlag), wrongVerifiers: isNumber },
  }),
  request: (value) => [waiting, waitingPushed, trial].some((check) => check(value)),
  pushed: holding({ request, expiresAt: isTime }),
  device: holding({
    ...{ clientId: isText, scopes: areTexts, resources: areTexts, codeChallenge: maybe(isChallenge) },
    ...{ authorizationDetails: details, interval: isNumber, notBefore: isTime },
  }),
  decision: holding({ approval: maybe(holding({ ...approval, endsWithLogin: maybe(isFlag) })) }),
  user_code: holding({ device: isText, expiresAt: isTime, shownTo: areTexts }),
}

/** Whether it stands for what a user has granted, and cannot be without that. */
function isGranted({ kind }: FoundRecord, content: unknown): boolean {
  if (kind === 'decision') return isObject(content) && 'approval' in (content as object)
  if (kind === 'access') return (content as { userId?: string }).userId !== undefined
  return kind === 'code' || kind === 'refresh'
}

/** What who used a record has noted on it. */
const TRACES = {
  refresh: holding({
    ...{ seed: isText, scopes: areTexts, audience: areTexts, confirmation, authorizationDetails: details },
    signing: maybe(holding({ kid: isText, issuedAt: isTime })),
    expires: holding({ access: isTime, refresh: isTime }),
  }),
  request: holding({ seed: isText, expiresAt: isTime }),
  user_code: holding({ userId: isText, decision: (value) => value === 'approved' || value === 'denied' }),
}

/** A record whose data have been read, so that nobody does it twice. */
export interface ReadRecord extends FoundRecord {
  readonly content?: object
}

/**
 * What the data of a record say; undefined where they are damaged, or are those of another version that this one cannot read. Whoever finds such a
 * record goes on as if there were none: a client asks for a new token, a user begins anew, and nobody is answered with a failure for ever.
 */
export function contentOf<Content extends object>(record: FoundRecord): Content | undefined {
  const content = parse(record.data)
  const isRight = SHAPES[record.kind] ?? isObject
  const hangs = record.grantId !== undefined && record.familyId !== undefined
  return isRight(content) && (hangs || !isGranted(record, content)) ? (content as Content) : undefined
}

/** The same of a record that could be read when it was found. */
export function knownContent<Content extends object>(record: ReadRecord): Content {
  const content = (record.content as Content | undefined) ?? contentOf<Content>(record)
  if (content === undefined) throw new Error(`The data of the record ${record.id} cannot be read.`)
  return content
}

/** What is noted on a record of this kind that has been used; undefined where that cannot be read. */
export function traceOf<Trace extends object>(kind: keyof typeof TRACES, text: string): Trace | undefined {
  const trace = parse(text)
  return TRACES[kind](trace) ? (trace as Trace) : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
