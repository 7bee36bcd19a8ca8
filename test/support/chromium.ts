import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { type Browser, chromium, type LaunchOptions } from 'playwright-core'

const run = promisify(execFile)
const modules = path.resolve(import.meta.dirname, '../../node_modules')

export interface BrowserOptions extends LaunchOptions {
  /** Names that the browser shall find on this machine: `{ 'print.example': '127.0.0.1:8443' }`. */
  hosts?: Record<string, string>
}

/**
 * The Chromium that @sparticuz/chromium ships, with its own libraries and fonts: nothing of the machine is needed.
 * The sandbox is off because it cannot be had as root; CSP, cookies and web security are as in any Chrome.
 */
export async function launchBrowser({ hosts = {}, ...options }: BrowserOptions = {}): Promise<Browser> {
  const home = await unpacked()
  const known = Object.entries(hosts).map(([name, address]) => `MAP ${name} ${address}`)
  return chromium.launch({
    ...options,
    executablePath: path.join(home, 'chromium'),
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [path.join(home, 'al2023/lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':'),
      FONTCONFIG_FILE: path.join(home, 'fonts.conf'),
      ...options.env,
    },
    args: [
      '--no-sandbox',
      // Processes of their own for each site and each page cost a third of the time, and protect from other tabs only: what the policies of a page forbid stays so.
      '--disable-site-isolation-trials',
      '--process-per-site',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-domain-reliability',
      '--no-pings',
      '--no-proxy-server',
      // Nothing but this machine: another name fails at once instead of waiting for DNS.
      `--host-resolver-rules=${[...known, 'MAP * ~NOTFOUND', 'EXCLUDE localhost', 'EXCLUDE 127.0.0.1', 'EXCLUDE [::1]']}`,
      '--font-render-hinting=none',
      ...(options.args ?? []),
    ],
  })
}

async function unpacked(): Promise<string> {
  const manifest = readFileSync(path.join(modules, '@sparticuz/chromium/package.json'), 'utf8')
  const cache = path.join(modules, '.cache/express-oauth-provider')
  const home = path.join(cache, `chromium-${JSON.parse(manifest).version}`)
  if (existsSync(home)) return home

  await mkdir(cache, { recursive: true })
  const mine = await mkdtemp(path.join(cache, 'unpacking-'))
  // A process of its own, for the package chooses its place by TMPDIR and unpacks its libraries only under this variable.
  const script = "import('@sparticuz/chromium').then((m) => m.default.executablePath())"
  await run(process.execPath, ['-e', script], {
    cwd: import.meta.dirname,
    env: { ...process.env, TMPDIR: mine, AWS_LAMBDA_JS_RUNTIME: '20.x' },
  })
  await writeFile(path.join(mine, 'fonts.conf'), fontsConf(home))
  // Two workers may unpack at once: each into its own folder, and the one that is renamed first stays.
  await rename(mine, home).catch(async (error: NodeJS.ErrnoException) => {
    await rm(mine, { recursive: true, force: true })
    if (!existsSync(home)) throw error
  })
  return home
}

const fontsConf = (home: string) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${home}/fonts</dir>
  <cachedir>${home}/fonts-cache</cachedir>
</fontconfig>
`
