import { fieldProblems } from '../clients/field-problems.js'
import { kindOf } from '../clients/own-clients.js'
import { OAuthError } from '../errors.js'
import { type PageReply, redirect } from '../http/reply.js'
import type { Client } from '../store/records.js'
import type { Text } from '../text.js'
import { fieldsOf, type TypedApplication, typedIn } from './application-form.js'
import {
  applicationPage,
  deletionPage,
  newApplicationPage,
  newForm,
  OVERLAPS,
  type PageChange,
} from './application-page.js'
import { isTrialAnswer, showTrial, tryApplication } from './application-trial.js'
import { applicationPath, type Developer, type DeveloperMethods, ownApplication } from './developers.js'

/** Stands in the path in place of an id, for the application that is being made. */
const NEW = 'new'

/** The page of one application of the user's, and of one that they make. */
export const application: DeveloperMethods = {
  async GET(developer) {
    const { request } = developer
    if (request.id === NEW) return newApplicationPage(developer)
    const client = await ownApplication(developer)
    if (isTrialAnswer(request.parameters)) return showTrial(developer, client)
    return request.parameters.get('confirm') === 'delete' && !client.disabled
      ? deletionPage(developer, client)
      : applicationPage(developer, client)
  },

  async POST(developer) {
    if (developer.request.id === NEW) return register(developer)
    const client = await ownApplication(developer)
    if (client.disabled) return applicationPage(developer, client, BLOCKED)
    const action = ACTIONS[developer.request.parameters.get('action') ?? '']
    return action === undefined ? backTo(developer, client.id) : action(developer, client)
  },

  /** Nothing was done, and nothing of what was typed is lost. What another site has sent, nobody has typed: it must not be one click from being saved. */
  async refused(developer) {
    const { request, runtime } = developer
    const said = { notice: { key: 'applications.expired' }, status: 403 }
    if (request.crossOrigin)
      return request.id === NEW
        ? newApplicationPage(developer, said)
        : applicationPage(developer, await ownApplication(developer), said)
    if (request.id === NEW)
      return newApplicationPage(developer, {
        ...said,
        typed: typedIn(request.parameters, runtime.settings),
        form: formOf(developer),
      })
    const client = await ownApplication(developer)
    if (client.disabled) return applicationPage(developer, client, said)
    if (request.parameters.get('action') === 'delete') return deletionPage(developer, client, said)
    const isEdit = request.parameters.get('action') === 'save'
    return applicationPage(developer, client, { ...said, ...(isEdit && typedAgain(developer, client)) })
  },
}

const ACTIONS: Readonly<Record<string, (developer: Developer, client: Client) => Promise<PageReply>>> =
  Object.assign(Object.create(null), { save, rotate, delete: remove, try: tryApplication })

/**
 * The answer has the secret in it, and is the only one that ever has: a redirect would have to carry it in its URL, or keep it somewhere. Whoever
 * reloads it sends the same form again, which makes no second application and shows nothing again.
 */
async function register(developer: Developer): Promise<PageReply> {
  const { own, request, runtime } = developer
  const typed = typedIn(request.parameters, runtime.settings)
  const form = formOf(developer)
  const id = own.idFor(form)
  if ((await own.find(id)) !== undefined) return backTo(developer, id)
  const fields = fieldsOf(typed)
  const problems = fieldProblems(typed.type, fields)
  if (Object.keys(problems).length > 0)
    return newApplicationPage(developer, { typed, form, problems, ...mend() })
  try {
    const { client_secret: secret } = await own.register(id, typed.type, fields)
    const client = await own.find(id)
    if (client === undefined || secret === undefined) return backTo(developer, id)
    return applicationPage(developer, client, { secret })
  } catch (error) {
    // The same form at the same moment, from a second click.
    if (reasonOf(error) === 'metadata_client_id') return backTo(developer, id)
    return newApplicationPage(developer, { typed, form, ...refusedWith(error) })
  }
}

async function save(developer: Developer, client: Client): Promise<PageReply> {
  const { own } = developer
  const { typed } = typedAgain(developer, client)
  const fields = fieldsOf(typed)
  const problems = fieldProblems(typed.type, fields)
  if (Object.keys(problems).length > 0)
    return applicationPage(developer, client, { typed, problems, ...mend() })
  try {
    await own.change(client.id, fields)
    return backTo(developer, client.id)
  } catch (error) {
    if (reasonOf(error) === 'client_unknown') return changedMeanwhile(developer)
    return applicationPage(developer, client, { typed, ...refusedWith(error) })
  }
}

/** As with the first one, the answer alone has the secret, and sent again the form changes nothing: the application is no longer the one that it was shown for. */
async function rotate(developer: Developer, client: Client): Promise<PageReply> {
  const { own, request } = developer
  const overlap = OVERLAPS.find((seconds) => String(seconds) === request.parameters.get('overlap'))
  if (overlap === undefined)
    return applicationPage(developer, client, { notice: { key: 'applications.choose_overlap' }, status: 400 })
  try {
    const revision = Number(request.parameters.get('revision'))
    const { client_secret: secret } = await own.rotateSecret(client.id, revision, overlap)
    return applicationPage(developer, await ownApplication(developer), { secret })
  } catch (error) {
    if (reasonOf(error) === 'client_unknown') return changedMeanwhile(developer)
    return applicationPage(developer, client, refusedWith(error))
  }
}

async function remove(developer: Developer, { id }: Client): Promise<PageReply> {
  const { own, runtime } = developer
  const deleted = await own.delete(id)
  if (!deleted && (await own.find(id)) !== undefined) return changedMeanwhile(developer)
  return redirect(applicationPath(runtime.settings))
}

/** Since it was looked at for this request. */
async function changedMeanwhile(developer: Developer): Promise<PageReply> {
  const client = await ownApplication(developer)
  const said = client.disabled ? BLOCKED : { notice: { key: 'applications.changed_meanwhile' } }
  return applicationPage(developer, client, { ...said, status: 409 })
}

const BLOCKED = { notice: { key: 'applications.is_blocked' }, status: 400 }

/** The form that was shown, by which two posts are known for one. It names nothing by itself: the id of the application comes of it and of the user. */
function formOf({ request }: Developer): string {
  const form = request.parameters.get('form') ?? ''
  return /^[\w-]{22}$/.test(form) ? form : newForm()
}

function typedAgain({ request, runtime }: Developer, client: Client): { typed: TypedApplication } {
  return { typed: typedIn(request.parameters, runtime.settings, kindOf(client)) }
}

function backTo({ runtime }: Developer, id: string): PageReply {
  return redirect(applicationPath(runtime.settings, id))
}

function mend(): { notice: Text; status: number } {
  return { notice: { key: 'applications.mend' }, status: 400 }
}

/** What registration refuses beyond single fields; what is no refusal is thrown on. */
function refusedWith(error: unknown): Pick<PageChange, 'notice' | 'refusal' | 'status'> {
  if (!(error instanceof OAuthError) || error.status >= 500) throw error
  if (error.text) return { notice: error.text, status: 400 }
  return { notice: { key: 'applications.refused' }, refusal: error.message, status: 400 }
}

function reasonOf(error: unknown): string | undefined {
  return error instanceof OAuthError ? error.reason : undefined
}
