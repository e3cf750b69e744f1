/**
 * The simulator's part of `npm test`, over what is built: 20 fixed seeds, five with clients that
 * watch and hold leases, two of these twice, two with what hosts and operators do, and the seeds that
 * once found a bug. All of it runs even if some fails, each part on all cores.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const parts = [
  ['--seeds', '1..20'],
  ['--seeds', '1..3', '--profile', 'table+streams'],
  ['--seeds', '1..2', '--profile', 'full+streams', '--twice'],
  ['--seeds', '2..3', '--profile', 'full+ops'],
  ['--regressions', path('sim-regressions.json')],
];

let failed = 0;
for (const part of parts) {
  console.log(`\nkintsugi sim ${part.map((word) => word.replace(path('../'), '')).join(' ')}`);
  const { status } = spawnSync(process.execPath, [path('../dist/cli/main.js'), 'sim', ...part], { stdio: 'inherit' });
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
