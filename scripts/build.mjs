/**
 * Builds dist/: incremental, so that a build without changes takes a moment. The proto files are
 * used where they are. What the compiler remembers stands beside dist/ and belongs to this checkout
 * alone: node_modules may be shared.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = `${root}node_modules/typescript/bin/tsc`;
const state = `${root}.data/tsconfig.build.tsbuildinfo`;
const main = `${root}dist/cli/main.js`;

// The compiler believes its notes: without dist/ they are wrong.
if (!existsSync(main)) rmSync(state, { force: true });
const args = [tsc, '-p', `${root}tsconfig.build.json`, '--incremental', '--tsBuildInfoFile', state];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root });
if (status !== 0) process.exit(status ?? 1);
// Nor does it remove what it made of a source that is gone.
for (const name of readdirSync(`${root}dist`, { recursive: true })) {
  const source = /^(.*)\.(?:js|js\.map|d\.ts)$/.exec(name)?.[1];
  if (source !== undefined && !existsSync(`${root}src/${source}.ts`)) rmSync(`${root}dist/${name}`);
}
chmodSync(main, 0o755);
