import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Session } from 'node:inspector/promises'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { type Mounted, PATHS, type Place } from './candidates/candidate.js'
import { candidates } from './candidates/index.js'
import type { CandidateName } from './catalogue.js'
import { keepToCore } from './core.js'

/** What a server is told to do, one thing at a time. */
export type ServerTask =
  | { readonly serve: CandidateName; readonly place: Place }
  | { readonly cpu: true }
  | { readonly profile: 'start' }
  | { readonly profile: 'stop'; readonly file: string }

export type Served = Mounted & { readonly port: number }

const profiler = new Session()

async function serve(name: CandidateName, place: Place): Promise<Served> {
  const app = express()
  app.disable('x-powered-by').disable('etag')
  const mount = await candidates[name]()
  const mounted = await mount(app, place)
  app.get(PATHS.open, (_req, res) => {
    res.json({ read: true })
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { ...mounted, port: (server.address() as AddressInfo).port }
}

async function perform(task: ServerTask): Promise<Served | number | undefined> {
  if ('serve' in task) return serve(task.serve, task.place)
  if ('cpu' in task) return cpuTime()
  if (task.profile === 'start') {
    profiler.connect()
    await profiler.post('Profiler.enable')
    await profiler.post('Profiler.start')
    return undefined
  }
  const { profile } = await profiler.post('Profiler.stop')
  profiler.disconnect()
  writeFileSync(task.file, JSON.stringify(profile))
  return undefined
}

/** Microseconds that this process has had of a core so far. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

keepToCore()
process.on('message', (task: ServerTask) => {
  perform(task).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.stack : String(error) }),
  )
})
process.once('disconnect', () => process.exit())
