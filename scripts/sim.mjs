/**
 * `npm run sim`: the built `kintsugi sim`, after building what is not built yet. What is given
 * follows the fixed arguments of the npm script. Standard output belongs to the command alone, so
 * that `npm run --silent sim -- --json` can be piped.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './lib/ensure-built.mjs';

console.log = console.error;
try {
  ensureBuilt();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const child = spawn(process.execPath, [main, 'sim', ...process.argv.slice(2)], { stdio: 'inherit' });
// Ctrl-C reaches the child by itself.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
