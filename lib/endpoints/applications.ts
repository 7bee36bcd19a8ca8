import { page, redirect } from '../http/reply.js'
import { applicationPath, type Developer, type DeveloperMethods, shownApplication } from './developers.js'

/** The page on which users see the applications that they have made. Nothing is posted to it. */
export const applications: DeveloperMethods = {
  GET: list,
  POST: async ({ runtime }) => redirect(applicationPath(runtime.settings)),
  refused: list,
}

async function list({ runtime: { settings }, own }: Developer) {
  const clients = await own.list()
  return page(
    'applications',
    { key: 'applications.title' },
    {
      applications: clients.map((client) => ({
        ...shownApplication(client),
        url: applicationPath(settings, client.id),
      })),
      newUrl: applicationPath(settings, 'new'),
    },
  )
}
