/**
 * `npm start`: needs nothing but Node 20 and npm. Installs, builds, then runs `start.ts`: three
 * nodes.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensureBuilt, ensureInstalled } from './lib/ensure-built.mjs';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Node 20.19 or newer is needed, this is ${process.versions.node}.`);
  process.exit(2);
}
const asksForHelp = process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h');
try {
  if (asksForHelp) ensureInstalled();
  else ensureBuilt();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
const script = fileURLToPath(new URL('./start.ts', import.meta.url));
const child = spawn(process.execPath, ['--import', 'tsx', script, ...process.argv.slice(2)], { stdio: 'inherit' });
// Ctrl-C reaches the child by itself; wait for its clean-up.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
