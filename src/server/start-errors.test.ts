import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { MemoryDisk } from '../base/disk/memory-disk.js';
import { HardStateError } from '../replica/hard-state/errors.js';
import { explainFatal } from './fatal-advice.js';
import { refuseForgottenPromises } from '../replica/start/promises-kept.js';
import { RpcStats } from '../observability/rpc-stats.js';
import { silent } from '../base/testing/silent.js';
import { clientPort } from './rpc/client-server.js';
import { listenAddress } from './transport/listen-address.js';

async function touch(disk: MemoryDisk, path: string): Promise<void> {
  const file = await disk.open(path, 'create');
  await file.close();
}

describe('errors of a start', () => {
  it('R1 a directory with a log or a manifest and no hard state is refused; an empty one, or one with it, is not', async () => {
    for (const left of ['manifest/1', 'log/0000000000000001.seg']) {
      const disk = new MemoryDisk();
      for (const dir of ['tables', 'manifest', 'log']) await disk.mkdir(dir);
      await refuseForgottenPromises(disk);
      await touch(disk, left);
      await assert.rejects(refuseForgottenPromises(disk), (error: unknown) => {
        assert.ok(error instanceof HardStateError && error.code === 'MISSING');
        assert.ok(error.message.includes(`hardstate is missing beside ${left}`), error.message);
        return true;
      });
      await touch(disk, 'hardstate');
      await refuseForgottenPromises(disk);
    }
  });

  it('a taken port is named, without the words of the library', async () => {
    const taken = await new Promise<Server>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
    });
    const { port } = taken.address() as { port: number };
    const clients = clientPort(new Map(), {
      maxReceiveBytes: 1, maxConcurrentStreams: 1, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 1, store: { hasLeader: true },
      stats: new RpcStats(), events: silent,
    });
    try {
      await assert.rejects(clients.listen(listenAddress(`http://127.0.0.1:${port}`)),
        { message: `cannot listen on 127.0.0.1:${port}: listen EADDRINUSE: address already in use 127.0.0.1:${port}` });
    } finally {
      taken.close();
      clients.close();
    }
  });

  it('an emptied data directory and a lost manifest are explained', () => {
    assert.match(explainFatal(new Error('invariant broken: R3 commit 9 is within the log, which ends at 0')), /^kintsugi: invariant broken: R3.*\n {2}try: .*emptied.*\n$/);
    const [, section = assert.fail()] = /see "(.*)" in OPERATING.md/.exec(explainFatal(new Error('invariant broken: R3 commit 9 is within the log'))) ?? [];
    assert.ok(readFileSync('OPERATING.md', 'utf8').includes(`\n## ${section}\n`), section);
    for (const lost of ['MANIFEST_UNREADABLE: manifest/1', 'BROKEN: the log starts at 9']) {
      assert.match(explainFatal(new Error(lost)), /copy of the whole data directory.*kintsugi recover --force-new-cluster --data-dir DIR --dry-run/);
    }
    assert.equal(explainFatal(new Error('other')), 'kintsugi: other\n');
  });
});
