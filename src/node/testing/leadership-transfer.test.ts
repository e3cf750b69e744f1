import assert from 'node:assert/strict';
import { StorageError } from '../../storage/base/errors.js';
import { RaftDriver } from '../../replica/consensus/raft-driver.js';
import { put } from '../../api/testing/requests.js';
import { Cluster } from './cluster.js';
import { calm } from './surroundings.js';

type TestMember = Awaited<ReturnType<Cluster['leader']>>;

describe('leaders that are in the way', () => {
  it('a leader that cannot apply hands over to a member that can', async () => {
    const cluster = await Cluster.start(calm);
    try {
      const leader = await cluster.leader();
      const bad = (): never => {
        throw new StorageError('BLOCK_UNREADABLE', 'lost here', { tableId: 99, offset: 0 });
      };
      const apply = function* (): Generator<void, void> {
        yield bad();
      };
      Object.assign(leader.replica.kv, { tryApplyFast: bad, apply });
      const follower = await cluster.follower();
      await follower.store.put(put('k', 'v'));
      const other = await cluster.until('another leader', () => cluster.alive.find((node) => node !== leader && node.replica.leadership.mayShapeTree));
      await other.store.put(put('k2', 'v'));
      assert.notEqual(leader.replica.applier.blockedSince, undefined);
    } finally {
      await cluster.close();
    }
  });

  it('a leader that stops hands over to the follower that is furthest ahead, whatever its place in the list', async () => {
    const cluster = await Cluster.start(calm);
    try {
      const leader = await cluster.leader();
      const [first, second] = cluster.nodes.filter((node) => node !== leader) as [TestMember, TestMember];
      cluster.hub.cut(leader.id, first.id);
      for (let i = 0; i < 20; i++) await leader.store.put(put(`k${i}`, 'v'));
      await cluster.until('one follower to have it all', () => second.replica.log.lastIndex() === leader.replica.log.lastIndex());
      assert.ok(first.replica.log.lastIndex() < second.replica.log.lastIndex());
      const term = leader.replica.leadership.term;
      assert.equal(await leader.replica.transferLeadership(), true);
      await cluster.until('the other to lead', () => second.replica.leadership.isLeader);
      assert.equal(second.replica.leadership.term, term + 1, 'asked for, not elected after a time-out');
    } finally {
      await cluster.close();
    }
  });

  it('a leader without anybody to hand over to says so', async () => {
    const cluster = await Cluster.start(calm, { members: 1 });
    try {
      const leader = await cluster.leader();
      assert.equal(await leader.replica.transferLeadership(), false);
    } finally {
      await cluster.close();
    }
  });

  it('S3 a leader whose bootstrap entry is refused proposes it again in the same term', async () => {
    const propose = Object.getOwnPropertyDescriptor(RaftDriver.prototype, 'proposeAsLeader') as PropertyDescriptor;
    let refused = 0;
    const refuseFirst = function (this: RaftDriver, data: Uint8Array): boolean {
      return refused++ < 3 ? false : ((propose.value as (data: Uint8Array) => boolean).call(this, data));
    };
    Object.defineProperty(RaftDriver.prototype, 'proposeAsLeader', { ...propose, value: refuseFirst });
    let cluster: Cluster | undefined;
    try {
      cluster = await Cluster.start(calm, { members: 1 });
      const [node] = cluster.nodes;
      await cluster.until('the settings', () => node?.replica.settings);
      assert.ok(refused > 3);
    } finally {
      Object.defineProperty(RaftDriver.prototype, 'proposeAsLeader', propose);
      await cluster?.close();
    }
  });
});
