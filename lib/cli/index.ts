#!/usr/bin/env node
import { main } from './main.js'

const interrupted = new AbortController()
process.on('SIGINT', () => {
  // A second one ends it at once.
  if (interrupted.signal.aborted) process.exit(130)
  interrupted.abort()
})
// Whoever writes is told as well, and a reader that has gone is no reason for a stack trace.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const { stdin, stdout, stderr, env } = process
const io = { stdin, stdout, stderr, env, cwd: process.cwd(), now: Date.now, signal: interrupted.signal }
process.exitCode = await main(process.argv.slice(2), io)
