/**
 * Builds dist/: incremental, so that a build without changes takes a moment. The proto files are
 * used where they are.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = `${root}node_modules/typescript/bin/tsc`;
const state = `${root}node_modules/.cache/tsconfig.build.tsbuildinfo`;
const main = `${root}dist/cli/main.js`;

// The compiler believes its notes: without dist/ they are wrong.
if (!existsSync(main)) rmSync(state, { force: true });
const args = [tsc, '-p', `${root}tsconfig.build.json`, '--incremental', '--tsBuildInfoFile', state];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root });
if (status !== 0) process.exit(status ?? 1);
chmodSync(main, 0o755);
