import assert from 'node:assert/strict';
import { connect, type Client } from '../../client/client.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { serveStore, type Served } from '../../server/testing/serve.js';
import { FakeIo } from '../testing/fake-io.js';
import { ctl } from './ctl.js';

describe('kintsugi ctl lock and elect', function () {
  this.timeout(30_000);
  let cluster: Cluster;
  let served: Omit<Served, 'store'>;
  let client: Client;

  before(async () => {
    cluster = await Cluster.start(calm, { members: 1 });
    await cluster.until('the newest version', () => cluster.nodes[0]?.replica.state.version === NEWEST_VERSION);
    served = await serveStore(cluster.nodes[0]?.store as (typeof cluster.nodes)[0]['store']);
    client = connect({ endpoints: [served.endpoint] });
  });

  after(async () => {
    client.close();
    await served.server.drain(0);
    await cluster.close();
  });

  interface Run {
    readonly io: FakeIo;
    readonly over: Promise<number>;
  }

  function start(...args: string[]): Run {
    const io = new FakeIo({ KINTSUGI_ENDPOINTS: served.endpoint, PATH: process.env['PATH'] });
    return { io, over: ctl(args, io) };
  }

  const prints = (io: FakeIo, what: RegExp): Promise<true> => cluster.until(String(what), () => what.test(io.text));
  const left = async (): Promise<number> => (await client.lease.list()).ids.length;

  it('hold what they got until they are interrupted, print it as etcdctl does, and give back all', async () => {
    const held = start('lock', 'm');
    await prints(held.io, /^m\/[0-9a-f]+\n\n$/);
    const waits = start('lock', 'm');
    const givesUp = start('lock', 'm', '--ttl', '30');
    await cluster.until('two to wait', () => (cluster.nodes[0]?.store.status().watches.streams ?? 0) === 2);
    givesUp.io.interrupt.abort();
    assert.equal(await givesUp.over, 1);
    held.io.interrupt.abort();
    assert.equal(await held.over, 0);
    await prints(waits.io, /^m\/[0-9a-f]+\n\n$/);
    const [id] = (await client.lease.list()).ids;
    await client.lease.revoke(id ?? 0n);
    assert.equal(await waits.over, 1);
    assert.match(waits.io.errors, /^Error: session expired/);
    const leads = start('elect', 'e', 'one');
    await prints(leads.io, /^e\/[0-9a-f]+\none\n$/);
    const listens = start('elect', '--listen', 'e', '-w', 'json');
    await prints(listens.io, /"kvs":\[/);
    for (const { io, over } of [listens, leads]) {
      io.interrupt.abort();
      assert.equal(await over, 0);
    }
    assert.equal(await left(), 0);
  });

  it('a command runs while the lock is held, and its exit code is that of the whole', async () => {
    const { io, over } = start('lock', 'm', '--', 'sh', '-c', 'echo "$ETCD_LOCK_KEY at $ETCD_LOCK_REV"; exit 7');
    assert.deepEqual([await over, io.errors], [7, 'Error: exit status 7\n']);
    assert.match(io.text, /^m\/[0-9a-f]+ at \d+\n$/);
    const missing = start('lock', 'm', '/no/such/command');
    assert.equal(await missing.over, 1);
    assert.match(missing.io.errors, /could not be run/);
    assert.deepEqual([await start('lock', 'm', 'true').over, await left()], [0, 0]);
    for (const args of [['lock'], ['lock', 'm', '--ttl', '0'], ['elect'], ['elect', 'e'], ['elect', '-l', 'e', 'v'], ['elect', 'a', 'b', 'c']]) {
      assert.equal(await start(...args).over, 2, args.join(' '));
    }
  });
});
