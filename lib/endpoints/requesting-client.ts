import { DocumentRefusal } from '../clients/document-refusal.js'
import { findRequestingClient, reportable } from '../clients/find.js'
import { forDevelopers, inRequest, PageError } from '../errors.js'
import type { From } from '../network.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'

/**
 * The client that asks the user at a browser for something. `from`: the browser.
 *
 * @throws PageError that says what is wrong with its id or its document.
 */
export async function clientAtBrowser(runtime: Runtime, id: string, from: From): Promise<Client | undefined> {
  try {
    return await findRequestingClient(runtime, id, from)
  } catch (error) {
    throw error instanceof DocumentRefusal ? pageFor(error) : error
  }
}

function pageFor({ key, message, problem, reason, clientId, cause }: DocumentRefusal): PageError {
  const { details = [] } = problem === undefined ? {} : forDevelopers(problem)
  return new PageError(
    'invalid_client',
    { key, description: message, details: [...details, inRequest('client_id', clientId)] },
    { reason, cause, clientId: reportable(clientId) },
  )
}
