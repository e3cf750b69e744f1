import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL(`./main.${import.meta.url.split('.').at(-1)}`, import.meta.url));

describe('the kintsugi command', () => {
  it('commands that messages and documents name are refused by name until they are there; others are unknown', function () {
    this.timeout(20_000);
    const run = (word: string): { readonly status: number | null; readonly stderr: string } =>
      spawnSync(process.execPath, ['--import', 'tsx', MAIN, word], { encoding: 'utf8' });
    const drill = run('drill');
    assert.equal(drill.status, 2);
    assert.match(drill.stderr, /^kintsugi: drill is not served yet \(drills; .*\)\n$/);
    assert.match(run('recovery').stderr, /unknown command "recovery"/);
  });
});
