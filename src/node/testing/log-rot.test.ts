import assert from 'node:assert/strict';
import { ENTRY_GIVEN } from '../../replica/consensus/entry-mender.js';
import { LogError } from '../../replica/log/errors.js';
import { get, put } from '../../api/testing/requests.js';
import type { ClusterNode } from './cluster-node.js';
import { Cluster } from './cluster.js';
import { calm } from './surroundings.js';

/** Reads of the entry fail until another member has given it. */
function spoilInLife({ replica: { log } }: ClusterNode, bad: number): void {
  const [entries, give] = [log.entries.bind(log), log.give.bind(log)];
  let given = false;
  log.entries = (lo, hi, maxBytes) => {
    if (!given && lo <= bad && hi > bad) throw new LogError('ENTRY_UNREADABLE', 'rotten', { index: bad, term: log.term(bad) });
    return entries(lo, hi, maxBytes);
  };
  log.give = (entry) => {
    given ||= entry.index === bad;
    return give(entry);
  };
}

const wasGiven = ({ events }: ClusterNode): boolean => events.some((event) => event.type === 'warning' && event.message === ENTRY_GIVEN);

describe('a log entry that goes bad while its member runs', function () {
  this.timeout(60_000);

  it('D1 is given to a leader by another member, for a third that needs it', async () => {
    const cluster = await Cluster.start(calm);
    const lagging = await cluster.follower();
    await cluster.kill(lagging);
    const leader = await cluster.leader();
    for (let i = 0; i < 20; i++) await leader.store.put(put(`k${i}`, 'v'));
    spoilInLife(leader, leader.replica.log.lastIndex() - 5);
    await cluster.up(lagging);
    await cluster.settled();
    assert.ok(wasGiven(leader));
    assert.equal((await lagging.store.range(get('k19', true))).kvs.length, 1);
    await cluster.close();
  });

  it('D1 is given to a member that applies its log again', async () => {
    let bad = 0;
    const watcher = { onOpen: (node: ClusterNode): void => void (bad > 0 && spoilInLife(node, bad)) };
    const cluster = await Cluster.start(calm, { watcher });
    const node = await cluster.follower();
    for (let i = 0; i < 20; i++) await (await cluster.leader()).store.put(put(`k${i}`, 'v'));
    await cluster.settled();
    await cluster.stop(node);
    bad = node.replica.log.lastIndex() - 5;
    await cluster.up(node);
    await cluster.settled();
    assert.ok(wasGiven(node));
    assert.equal((await node.store.range(get('k19', true))).kvs.length, 1);
    await cluster.close();
  });
});

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
