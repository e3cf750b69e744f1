/** What README.md says to type over HTTP, typed: it answers what stands there. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kintsugi, ROOT, which } from '../scripts/lib/binary.js';
import { Cluster } from '../scripts/lib/cluster.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import { kintsugiOnly } from './harness.js';

const run = promisify(execFile);

describe('README.md', function () {
  this.timeout(90_000);
  let cluster: Cluster;

  before(async function () {
    kintsugiOnly(this);
    ensureBuilt();
    if (which('curl') === undefined) this.skip();
    cluster = await Cluster.create({ binary: kintsugi(), dir: 'test-readme', size: 1 });
    await cluster.start();
  });

  after(() => cluster?.stop('SIGKILL'));

  it('its calls over JSON answer as it says', async () => {
    const [, block = ''] = /```sh\n((?:curl [^\n]*\n)+# [^\n]*\n)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
    const lines = block.trim().split('\n');
    const said = lines.pop()?.slice(2) ?? '';
    assert.ok(lines.length >= 2 && said.startsWith('"kvs":'), 'calls, and what the last one answers');
    let answer = '';
    for (const line of lines) {
      const [, url = '', body = ''] = /^curl (\S+) -d '(.*)'$/.exec(line) ?? [];
      const { stdout } = await run('curl', ['-s', url.replace('http://localhost:2379', cluster.urls[0] as string), '-d', body]);
      answer = stdout;
    }
    assert.ok(answer.endsWith(`,${said}}`), answer);
  });
});
