import assert from 'node:assert/strict';
import { LogError } from '../../replica/log/errors.js';
import { get, put } from '../../api/testing/requests.js';
import { Cluster } from './cluster.js';
import { calm } from './surroundings.js';

describe('a log that is damaged below the flushed index', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  afterEach(() => cluster.close());

  it('D1 a leader that cannot read what a lagging member needs sends a snapshot, and does not stop', async () => {
    cluster = await Cluster.start(calm, { logSegmentBytes: 1024 * 1024 });
    const lagging = await cluster.follower();
    await cluster.kill(lagging);
    let leader = await cluster.leader();
    for (let i = 0; i < 300; i++) await leader.store.put(put(`k${i}`, 'v'.repeat(300)));
    await cluster.until('a flush', () => cluster.alive.every(({ replica }) => replica.tree.durable.flushed.index > 200));
    leader = await cluster.leader();
    const { log } = leader.replica;
    const unreadable = leader.replica.tree.durable.flushed.index - 20;
    assert.ok(log.firstIndex() <= unreadable, 'the log still has it');
    const read = log.entries.bind(log);
    log.entries = (lo, hi, maxBytes) => {
      if (lo <= unreadable && hi > unreadable) throw new LogError('ENTRY_UNREADABLE', 'rotten', { index: unreadable });
      return read(lo, hi, maxBytes);
    };
    await cluster.up(lagging);
    await cluster.settled();
    assert.deepEqual(cluster.failures, []);
    assert.equal((await lagging.store.range(get('k299', true))).kvs.length, 1);
    assert.ok(lagging.events.some(({ type }) => type === 'snapshot-received'));
  });
});
