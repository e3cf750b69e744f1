import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

describe('the kintsugi command', () => {
  it('commands that messages and documents name are refused by name until they are there; others are unknown', function () {
    this.timeout(20_000);
    const run = (word: string): { readonly status: number | null; readonly stderr: string } =>
      spawnSync(process.execPath, ['--import', 'tsx', MAIN, word], { encoding: 'utf8' });
    const recover = run('recover');
    assert.equal(recover.status, 2);
    assert.match(recover.stderr, /^kintsugi: recover is not served yet \(.*OPERATING\.md.*\)\n$/);
    assert.match(run('recovery').stderr, /unknown command "recovery"/);
  });
});
