/** Cures of OPERATING.md where no other member, and no cold copy, helps: see operating.test.ts. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kintsugi, KINTSUGI_MAIN } from '../scripts/lib/binary.js';
import { Cluster } from '../scripts/lib/cluster.js';
import { putPatiently } from '../scripts/lib/documents.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import { flipBit } from '../scripts/lib/tables.js';
import { scan } from '../scripts/lib/verify.js';
import { mustFind } from '../scripts/lib/versus/files.js';
import { markTakeover } from '../src/replica/start/unfinished-takeover.js';
import { NodeDisk } from '../src/server/node-disk.js';
import { kintsugiOnly, SMALL } from './harness.js';
import { refuses } from './refusals.js';

const run = promisify(execFile);

describe('an operator of whose cluster one directory is left cures', function () {
  this.timeout(90_000);

  before(function () {
    kintsugiOnly(this);
    ensureBuilt();
  });

  it('ENTRY_FAULTY and TAKEOVER_UNFINISHED of a single member, and the loss of its file joined, by recover --force-new-cluster', async () => {
    const cluster = await Cluster.create({ binary: kintsugi(), dir: 'test-operating-lost', size: 1, extraArgs: SMALL });
    const node = cluster.node(0);
    const { dataDir, name, advertisedPeerUrl } = node.spec;
    const recover = (...args: string[]): Promise<{ stdout: string }> => run(process.execPath, [KINTSUGI_MAIN, 'recover', '--data-dir', dataDir, ...args]);
    const force = ['--force-new-cluster', '--name', name, '--initial-advertise-peer-urls', advertisedPeerUrl, '--yes'];
    const has = async (keys: number): Promise<void> => {
      node.start();
      await node.waitReady(30_000);
      assert.equal((await scan(node.endpoint, { prefix: 'k', serializable: false })).size, keys);
      await node.stop();
    };
    try {
      await cluster.start();
      const last = randomBytes(1000);
      for (const n of [0, 1]) await putPatiently(node.endpoint, `k${n}`, Buffer.from('v'));
      await putPatiently(node.endpoint, 'klast', last);
      for (const n of [0, 1]) await putPatiently(node.endpoint, `k${n}`, Buffer.from('w'));
      await node.stop();
      for (const { file, offset } of mustFind(node, 'log', 'klast', last)) flipBit(file, offset, 1);
      await refuses(node, /ENTRY_FAULTY/);
      await assert.rejects(recover(), /nothing is wrong/);
      await assert.rejects(recover(...force), /--accept-loss/);
      await recover(...force, '--accept-loss');
      await has(2);

      const disk = await NodeDisk.open(dataDir);
      await markTakeover(disk, { phase: 'placing', aside: 'before-1', command: `kintsugi recover --force-new-cluster --data-dir '${dataDir}'` });
      await disk.close();
      await refuses(node, /TAKEOVER_UNFINISHED.*kintsugi recover --force-new-cluster/);
      assert.match((await recover('--force-new-cluster')).stdout, /what was cut short is done/);
      await has(2);

      for (const path of ['joined', 'joined.copy']) rmSync(join(dataDir, path));
      await refuses(node, /WRONG_IDENTITY.*the file joined is lost.*kintsugi recover --force-new-cluster --data-dir DIR/);
      await recover(...force);
      await has(2);
    } finally {
      await cluster.stop('SIGKILL');
    }
  });
});
