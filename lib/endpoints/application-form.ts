import type { FieldProblems } from '../clients/field-problems.js'
import type { ApplicationFields, ApplicationKind } from '../clients/own-clients.js'
import { applicationKinds, kindOf } from '../clients/own-clients.js'
import type { Parameters } from '../parameters.js'
import type { Settings } from '../settings.js'
import type { Client } from '../store/records.js'

/** What a user has typed, as they typed it. */
export interface TypedApplication {
  readonly type: ApplicationKind
  readonly clientName: string
  /** One in a line. */
  readonly redirectUris: string
  readonly scopes: readonly string[]
  readonly clientUri: string
  readonly policyUri: string
  readonly tosUri: string
}

/** A form that nobody has filled in. */
export function emptyForm({ scopes }: Pick<Settings, 'scopes'>): TypedApplication {
  const usual = [...scopes.values()].filter((scope) => scope.default).map(({ name }) => name)
  return {
    ...{ type: 'web', clientName: '', redirectUris: '', scopes: usual },
    ...{ clientUri: '', policyUri: '', tosUri: '' },
  }
}

/** A form with what there is of an application. */
export function filledForm(client: Client, { scopes }: Pick<Settings, 'scopes'>): TypedApplication {
  const { name, redirectUris, uri = '', policyUri = '', tosUri = '' } = client
  return {
    ...{ type: kindOf(client), clientName: name, redirectUris: redirectUris.join('\n') },
    scopes: [...(client.scopes ?? scopes.keys())],
    ...{ clientUri: uri, policyUri, tosUri },
  }
}

/** What was posted. `type`: of the application that there is; a new one has the type that was chosen. */
export function typedIn(
  parameters: Parameters,
  settings: Pick<Settings, 'scopes' | 'features'>,
  type?: ApplicationKind,
): TypedApplication {
  const text = (name: string) => parameters.get(name) ?? ''
  const chosen = applicationKinds(settings).find((kind) => kind === parameters.get('type'))
  const ticked = parameters.all('scope')
  return {
    type: type ?? chosen ?? 'web',
    clientName: text('client_name').trim(),
    redirectUris: text('redirect_uris'),
    // In the order of the page; what is on none cannot be had.
    scopes: [...settings.scopes.keys()].filter((scope) => ticked.includes(scope)),
    clientUri: text('client_uri').trim(),
    policyUri: text('policy_uri').trim(),
    tosUri: text('tos_uri').trim(),
  }
}

/** It as metadata. */
export function fieldsOf(typed: TypedApplication): ApplicationFields {
  const lines = typed.redirectUris.split('\n').map((line) => line.trim())
  return {
    client_name: typed.clientName,
    redirect_uris: lines.filter((line) => line !== ''),
    scope: typed.scopes.join(' '),
    client_uri: typed.clientUri || undefined,
    policy_uri: typed.policyUri || undefined,
    tos_uri: typed.tosUri || undefined,
  }
}

/** The form as the page gets it. `problems`: what is wrong, by field. */
export function shownForm(
  settings: Pick<Settings, 'scopes' | 'features'>,
  typed: TypedApplication,
  problems: FieldProblems,
) {
  return {
    ...typed,
    types: applicationKinds(settings),
    scopes: [...settings.scopes.values()].map(({ name, description }) => ({
      ...{ name, description },
      checked: typed.scopes.includes(name),
    })),
    problems,
  }
}
