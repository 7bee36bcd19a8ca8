import { existsSync, linkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Ask, asking } from '../ask.js'
import { defineCommand, YES_FLAG } from '../command.js'
import { Failure } from '../failure.js'
import { canAsk, print } from '../io.js'
import { json, visibleLines } from '../terminal.js'
import { ANSWER_FLAGS, answersOf } from './answers.js'
import { providerCode } from './code.js'
import { fileNameFor, projectIn } from './project.js'
import { mounting, nextSteps } from './steps.js'

export const init = defineCommand({
  name: 'init',
  summary: 'Write the few lines that turn your app into a provider',
  flags: {
    ...ANSWER_FLAGS,
    file: { value: 'name', about: 'The file to write. Default: oauth.ts, oauth.mjs or oauth.js.' },
    overwrite: { about: 'Replace that file where it is there.' },
    ...YES_FLAG,
  },
  notes:
    'What no flag says is asked; with --yes, or where nobody can be asked, it is what package.json says or what is usual.',
  async run(args, io) {
    const project = projectIn(io.cwd)
    const work = async (ask: Ask | undefined) => {
      const answers = await answersOf(args, project, ask)
      const file = path.resolve(io.cwd, args.text('file') ?? fileNameFor(answers.module, project.isModule))
      await write(file, providerCode(answers), { ask, overwrite: args.has('overwrite') })
      return { file, answers }
    }
    const silent = args.has('yes') || args.has('json') || !canAsk(io)
    const { file, answers } = await (silent ? work(undefined) : asking(io, work))
    const text = `Wrote ${path.relative(io.cwd, file) || file}.\n\n${nextSteps(file, answers, project)}\n`
    const answer = { file, mount: mounting(file, answers), missing: project.missing }
    await print(io, args.has('json') ? `${json(answer, 2)}\n` : visibleLines(text))
    return undefined
  },
})

/** The whole file or none of it, and never over another one unless that was said. */
async function write(
  file: string,
  code: string,
  { ask, overwrite }: { readonly ask: Ask | undefined; readonly overwrite: boolean },
): Promise<void> {
  if (existsSync(file) && !statSync(file).isFile())
    throw new Failure('file_exists', `${file} is no file. Pass another name: --file <name>.`)
  const replace = overwrite || (existsSync(file) && (await mayReplace(file, ask)))
  const draft = `${file}.${process.pid}.draft`
  try {
    writeFileSync(draft, code, { flag: 'wx' })
    // A link is refused where somebody has made the file meanwhile.
    if (replace) renameSync(draft, file)
    else linkSync(draft, file)
  } catch (error) {
    throw notWritten(file, error as NodeJS.ErrnoException)
  } finally {
    rmSync(draft, { force: true })
  }
}

async function mayReplace(file: string, ask: Ask | undefined): Promise<boolean> {
  const yes = ask !== undefined && /^y(es)?$/i.test(await ask(`${file} is there already. Replace it? [y/N] `))
  if (yes) return true
  throw new Failure(
    'file_exists',
    `${file} is there already. Pass another name, --file <name>, or --overwrite.`,
  )
}

function notWritten(file: string, error: NodeJS.ErrnoException): Failure {
  if (error.code === 'EEXIST')
    return new Failure('file_exists', `${file} is there already. Pass --overwrite to replace it.`)
  return new Failure(
    'not_written',
    `${file} cannot be written (${error.code}). Pass another name: --file <name>.`,
    error,
  )
}
