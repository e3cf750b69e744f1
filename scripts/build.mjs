/**
 * Builds dist/: incremental, so that a build without changes takes a moment. The proto files are
 * used where they are. What the compiler remembers stands beside dist/ and belongs to this checkout
 * alone: node_modules may be shared.
 *
 * dist/bin/ is the program once more, in few files: finding, opening and linking 500 modules is
 * half of what a start computes. Dependencies go in as well, but for those that look for files of
 * their own beside themselves: they are found where the package manager put them.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = `${root}node_modules/typescript/bin/tsc`;
const state = `${root}.data/tsconfig.build.tsbuildinfo`;
const main = `${root}dist/cli/main.js`;
const bin = `${root}dist/bin`;
const entry = `${bin}/kintsugi.js`;

function compile() {
  // The compiler believes its notes: without dist/ they are wrong.
  if (!existsSync(main)) rmSync(state, { force: true });
  const args = [tsc, '-p', `${root}tsconfig.build.json`, '--incremental', '--tsBuildInfoFile', state];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root });
  if (status !== 0) process.exit(status ?? 1);
  // Nor does it remove what it made of a source that is gone.
  for (const name of readdirSync(`${root}dist`, { recursive: true })) {
    const source = /^(?!bin\/)(.*)\.(?:js|js\.map|d\.ts)$/.exec(name)?.[1];
    if (source !== undefined && !existsSync(`${root}src/${source}.ts`)) rmSync(`${root}dist/${name}`);
  }
  chmodSync(main, 0o755);
}

function newest(dir) {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return Math.max(...files.map((file) => (file.parentPath.startsWith(bin) ? 0 : statSync(join(file.parentPath, file.name)).mtimeMs)));
}

/** Files find their neighbours by their own address: in the bundle too, it is that of the file. */
const ownAddress = {
  name: 'own-address',
  setup: (bundle) =>
    bundle.onLoad({ filter: /\/dist\/.*\.js$/ }, ({ path }) => {
      const here = `new URL(${JSON.stringify(relative(bin, path))}, import.meta.url).href`;
      return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', here), loader: 'js' };
    }),
};

const EXTERNAL = ['@grpc/*', 'pino'];

async function bundle() {
  const inputs = [newest(`${root}dist`), statSync(`${root}package-lock.json`).mtimeMs, statSync(fileURLToPath(import.meta.url)).mtimeMs];
  if (existsSync(entry) && statSync(entry).mtimeMs >= Math.max(...inputs)) return;
  const { metafile } = await build({
    entryPoints: { kintsugi: main }, outdir: bin, absWorkingDir: root, bundle: true, splitting: true, format: 'esm', platform: 'node',
    external: EXTERNAL, target: 'node20', metafile: true, logLevel: 'warning', plugins: [ownAddress],
    // What dependencies of the old kind expect to be there.
    banner: { js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);` },
  });
  const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
  for (const name of readdirSync(bin)) if (!written.has(name)) rmSync(join(bin, name));
  for (const name of written) {
    const lost = readFileSync(join(bin, name), 'utf8').split('\n').find((line) => /^(?! *[/*]).*\b__(?:dir|file)name\b/.test(line));
    if (lost !== undefined) throw new Error(`${name}: what looks for files beside itself must be EXTERNAL: ${lost.trim()}`);
  }
  chmodSync(entry, 0o755);
}

compile();
await bundle();
