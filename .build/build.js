import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')
const dist = path.join(root, 'dist')
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
const packages = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })

/** @type {import('esbuild').BuildOptions} */
const common = {
  absWorkingDir: root,
  entryPoints: { index: 'lib/index.ts', 'store-contract': 'lib/store/contract.ts' },
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  logLevel: 'warning',
  logOverride: { 'empty-import-meta': 'error' },
}

rmSync(dist, { recursive: true, force: true })

await Promise.all([
  build({
    ...common,
    // What the command line needs of the library lies in files that both load.
    entryPoints: { ...common.entryPoints, cli: 'lib/cli/index.ts' },
    splitting: true,
    // Beside the entries: both find the templates from where they are.
    chunkNames: 'part-[hash]',
    external: packages,
    format: 'esm',
    outdir: 'dist/esm',
  }),
  build({
    ...common,
    // jose has ES modules only, which a host's Jest cannot load: it is carried inside, with its licence.
    external: packages.filter((name) => name !== 'jose'),
    format: 'cjs',
    outdir: 'dist/cjs',
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  }),
])
execFileSync(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', '.build'], {
  cwd: root,
  stdio: 'inherit',
})

// What the public types do not name stays out, and with it the types of our own dependencies.
const declarations = path.join(dist, 'types')
const reached = new Set()
reach(path.join(declarations, 'index.d.ts'))
reach(path.join(declarations, 'store/contract.d.ts'))
for (const file of reached)
  for (const format of ['esm', 'cjs'])
    cpSync(file, path.join(dist, format, path.relative(declarations, file)))
rmSync(declarations, { recursive: true })
cpSync(path.join(root, 'node_modules/jose/LICENSE.md'), path.join(dist, 'cjs/jose.LICENSE.md'))
writeFileSync(path.join(dist, 'cjs/package.json'), '{ "type": "commonjs" }\n')

/** @param {string} file */
function reach(file) {
  if (reached.has(file) || !existsSync(file)) return
  reached.add(file)
  for (const [, target] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*['"](\.[^'"]+)\.js['"]/g))
    reach(path.join(path.dirname(file), `${target}.d.ts`))
}
