import { isDeepStrictEqual } from 'node:util'
import type { DocumentSettings } from '../client-sources.js'
import { OAuthError } from '../errors.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import { OutgoingError } from '../outgoing/outgoing.js'
import { QuestionLimit } from '../outgoing/question-limit.js'
import type { ClientDocuments, Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { describe } from '../validation.js'
import { changeClient } from './change.js'
import { documentMetadata } from './document.js'
import { DocumentLimits } from './document-limits.js'
import {
  DocumentRefusal,
  notAllowed,
  unavailable,
  unusableDocument,
  unusableUrl,
} from './document-refusal.js'
import { documentUrl } from './document-url.js'
import { judgedAsSeen } from './judgement.js'
import { isOnProbation, PROBATION } from './lasting.js'
import { identityOf, toClient, toMetadata } from './metadata.js'
import { clientRules } from './openid-metadata.js'
import { confirmSector, refuseOtherSector } from './sector.js'
import { hostMetadata, strangerMetadata } from './stranger-metadata.js'

type Means = Pick<Runtime, 'settings' | 'store' | 'keys' | 'outgoing' | 'now' | 'emit'>

/** How a document is asked for. `admit`: whether it may be asked for now, where there is no good copy. */
interface Question {
  readonly admit: () => boolean
  readonly fresh?: boolean
}

/** Clients whose id is the URL of a document that says what they are (OAuth Client ID Metadata Document). */
export class DocumentClients implements ClientDocuments {
  readonly #options: DocumentSettings
  readonly #means: Means
  readonly #limits: DocumentLimits
  /** When rows were last compared with their documents: once a minute is enough, also for a document that is another one each time. */
  readonly #comparisons: QuestionLimit
  readonly #running = new Set<Promise<void>>()

  constructor(options: DocumentSettings, means: Means) {
    this.#options = options
    this.#means = means
    this.#limits = new DocumentLimits(means.now)
    this.#comparisons = new QuestionLimit(1, means.now)
  }

  async lets({ id }: Pick<Client, 'id'>): Promise<boolean> {
    const url = documentUrl(id)
    return url instanceof URL && this.#isAllowed(url)
  }

  async current(id: string, kept: Client | undefined, address: string): Promise<Client> {
    const url = documentUrl(id)
    if (!(url instanceof URL)) throw unusableUrl(id, url)
    const admit = () =>
      kept === undefined ? this.#limits.admitStranger(url, address) : this.#limits.admitKept(url)
    const client = await this.#fetched(url, kept, { admit })
    if (kept !== undefined && this.#comparisons.admit(id)) await this.#update(client)
    return client
  }

  look(client: Client): void {
    if (!this.#comparisons.admit(client.id)) return
    const looking: Promise<void> = this.#refresh(client, false)
      .then(() => undefined)
      // What is wrong with a document is told where somebody connects. Its client goes on as it was.
      .catch((error: unknown) => {
        if (!(error instanceof DocumentRefusal))
          this.#means.emit('server.error', { error, endpoint: 'client_id' })
      })
      .finally(() => this.#running.delete(looking))
    this.#running.add(looking)
  }

  async renewed(client: Client): Promise<Client | undefined> {
    try {
      return await this.#refresh(client, true)
    } catch (error) {
      if (error instanceof DocumentRefusal) return undefined
      throw error
    }
  }

  async keep(client: Client): Promise<void> {
    const { now, store } = this.#means
    // The user has been asked about the document as it is now, so this is a comparison too.
    this.#comparisons.admit(client.id)
    // Approved once more, it has the whole time again.
    const postponed = ({ expiresAt }: Client) => (expiresAt === undefined ? undefined : now() + PROBATION)
    while (!(await this.#update(client, postponed)) && !(await this.#add(client)))
      if (store.isUnreadable(client.id)) throw new Error(`The client '${client.id}' in the store is damaged.`)
  }

  async close(): Promise<void> {
    await Promise.all(this.#running)
  }

  async #isAllowed(url: URL): Promise<boolean> {
    const allowed: unknown = await this.#options.allow(new URL(url))
    if (typeof allowed === 'boolean') return allowed
    throw new TypeError(
      `oauthProvider: clientMetadataDocuments.allow gave ${describe(allowed)}. Return true or false.`,
    )
  }

  /** What the document says now, in the row too. Undefined where that is what the row says already. */
  async #refresh(kept: Client, fresh: boolean): Promise<Client | undefined> {
    const url = documentUrl(kept.id)
    if (!(url instanceof URL)) return undefined
    const client = await this.#fetched(url, kept, { fresh, admit: () => this.#limits.admitKept(url) })
    if (saysTheSame(kept, client)) return undefined
    await this.#update(client)
    return client
  }

  /** False where there is one by now. */
  async #add(client: Client): Promise<boolean> {
    const { store, now, emit } = this.#means
    const added = { ...client, revision: 1, createdAt: now(), expiresAt: now() + PROBATION }
    const isAdded = await store.saveClient(added)
    if (isAdded) emit('client.changed', { clientId: client.id, change: 'created', by: 'client' })
    return isAdded
  }

  /** Takes over what its document says. False where nothing is kept of it. */
  async #update(client: Client, lastsUntil = ({ expiresAt }: Client) => expiresAt): Promise<boolean> {
    const { store, emit } = this.#means
    const said = strangerMetadata(toMetadata(client))
    const find = () => store.findClient(client.id)
    const change = await changeClient(store, find, (stored) => {
      // The host's own by now.
      if (stored.source !== 'document') return stored
      const merged = this.#merged(said, stored)
      const expiresAt = lastsUntil(stored)
      const isSame = saysTheSame(stored, merged) && expiresAt === stored.expiresAt
      return isSame ? stored : { ...merged, ...optional('expiresAt', expiresAt) }
    })
    if (change !== undefined && !saysTheSame(change.before, change.after))
      emit('client.changed', { clientId: client.id, change: 'updated', by: 'client' })
    return change !== undefined
  }

  /** The one place that asks a site. */
  async #fetched(url: URL, kept: Client | undefined, question: Question): Promise<Client> {
    const { outgoing } = this.#means
    const { sizeLimit } = this.#options
    const id = url.href
    if (!(await this.#isAllowed(url))) throw notAllowed(id)
    try {
      const stranger = kept === undefined || isOnProbation(kept)
      // Only of what has come from the site just now: it was right when it was kept, and to confirm a sector is another question.
      const check = (body: unknown) => confirmSector(this.#read(id, body, kept), outgoing)
      const { body } = await outgoing.fetchDocument(id, { ...question, sizeLimit, stranger, check })
      return this.#read(id, body, kept)
    } catch (error) {
      if (error instanceof OutgoingError) throw unavailable(id, error)
      if (error instanceof OAuthError) throw unusableDocument(id, error)
      throw error
    }
  }

  #read(id: string, body: unknown, kept: Client | undefined): Client {
    const { now } = this.#means
    const said = documentMetadata(id, body, this.#rules())
    if (kept !== undefined) return this.#merged(said, kept)
    const identity = { id, revision: 1, createdAt: now(), expiresAt: now() + PROBATION }
    return toClient(said, { ...identity, source: 'document', anyScope: true }, this.#rules())
  }

  /** What it says of itself, and what the host has said of it, as far as that is still about the same. */
  #merged(said: ClientMetadata, kept: Client): Client {
    const metadata = { ...said, ...hostMetadata(toMetadata(kept)) }
    const client = toClient(metadata, identityOf(kept), this.#rules())
    refuseOtherSector(kept, client)
    return judgedAsSeen(client, kept)
  }

  #rules() {
    return clientRules(this.#means)
  }
}

/** In whatever order: a database may keep the members of an object in one of its own. */
function saysTheSame(a: Client, b: Client): boolean {
  return isDeepStrictEqual(toMetadata(a), toMetadata(b))
}
