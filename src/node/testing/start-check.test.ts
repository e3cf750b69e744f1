import assert from 'node:assert/strict';
import { ByteWriter } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env } from '../../base/env.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import { silent } from '../../base/events.js';
import { newMessage } from '../../raft/message.js';
import { ReplicaError } from '../../replica/base/errors.js';
import { PromisesHeard } from '../../replica/start/promises-heard.js';
import { checkStart, Witness } from '../../replica/start/start-check.js';
import { Life } from '../../replica/state/life.js';
import { Membership } from '../../replica/state/membership.js';
import { get, put } from '../../api/testing/requests.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { calm } from './surroundings.js';

describe('a member whose data directory was emptied', function () {
  this.timeout(30_000);
  let cluster: Cluster;
  afterEach(() => cluster.close());

  it('R1 D1 is refused however often it starts, while the others serve', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    await node.store.put(put('a', '1'));
    await cluster.kill(node);
    node.disk = new MemoryDisk();
    for (let start = 0; start < 2; start++) {
      await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'EMPTIED');
    }
    const [other] = cluster.alive;
    assert.equal((await other?.store.range(get('a')))?.kvs.length, 1);
  });

  it('R1 D1 is refused though every other member restarted meanwhile: they remember through the log', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    await announced(cluster, node, 1);
    const others = cluster.nodes.filter((each) => each !== node);
    await cluster.kill(node);
    node.disk = new MemoryDisk();
    for (const other of others) await cluster.kill(other);
    await Promise.all(others.map((other) => cluster.up(other)));
    await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'EMPTIED');
  });

  it('R5 an older copy of a data directory is refused: others have met a later start', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    await cluster.kill(node);
    const old = copyOf(node.disk);
    for (let life = 0; life < 2; life++) {
      await cluster.up(node);
      await announced(cluster, node, life + 2);
      await cluster.kill(node);
    }
    node.disk = old;
    await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'ROLLED_BACK');
  });

  it('R1 R5 a copy of the very same start is refused too: others were told of what it lacks', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    await announced(cluster, node, 1);
    await node.store.put(put('a', '1'));
    const old = copyOf(node.disk);
    await node.store.put(put('b', '2'));
    await cluster.settled();
    await cluster.kill(node);
    node.disk = old;
    await assert.rejects(cluster.up(node), (error) => error instanceof ReplicaError && error.code === 'ROLLED_BACK');
  });

  it('R5 a member that went on with an older copy stops once a leader counts on entries that are gone', async () => {
    cluster = await Cluster.start(calm);
    const node = await cluster.follower();
    const { driver } = node.replica;
    const commit = driver.node.lastIndex + 1_000;
    driver.step({ ...newMessage('MsgHeartbeat', node.replica.leadership.leader, node.id, driver.node.term), commit });
    const [failure] = cluster.failures.splice(0);
    assert.equal(failure?.node, node.id);
    assert.ok(failure.cause instanceof ReplicaError && failure.cause.code === 'ROLLED_BACK', failure.message);
  });

  it('a member with a memory is answered at once though nobody leads; a new one waits for a majority', async () => {
    cluster = await Cluster.start(calm);
    const [node] = cluster.alive as [ClusterNode];
    const { env, life, leadership, state, gossip } = node.replica;
    const nobodyLeads = { confirm: () => new Promise<void>(() => undefined) };
    const witness = new Witness({ env, life, wasNew: false, leadership, state, gossip, heard: new PromisesHeard(), reads: nobodyLeads });
    const late = Symbol('late');
    const answered = (request: number): Promise<unknown> =>
      Promise.race([witness.answer(2, Uint8Array.of(request)), new Promise((resolve) => setImmediate(() => resolve(late)))]);
    assert.notEqual(await answered(0), late);
    assert.equal(await answered(1), late);
    const [answer] = await witness.answer(2, Uint8Array.of(1));
    assert.equal(answer, 2, 'unsure');
  });
});

describe('what the others say of a member that starts', () => {
  /** Of five members this is number 1; the others answer in turn, `undefined` being silence. */
  async function starts(isNew: boolean, incarnation: number, answers: readonly (Told | undefined)[]): Promise<'begins' | 'waits' | string> {
    let waits = 0;
    const life = new Life();
    life.to({ s: 'joining' });
    const members = [1, 2, 3, 4, 5].map((id) => ({ id, name: `n${id}`, peerUrls: [] }));
    const clock = { setTimer: (_ms: number, fn: () => void) => {
      if (++waits > 3) life.stop();
      setImmediate(fn);
      return { cancel: () => undefined };
    } };
    const call = (peer: number): Promise<Uint8Array> => {
      const answer = answers[peer - 2];
      return answer === undefined ? Promise.reject(new NetworkError('UNREACHABLE', 'nobody listens')) : Promise.resolve(remembers(answer));
    };
    const env = { clock, network: { call }, events: silent } as unknown as Env;
    const kept = { term: isNew ? 0 : 5, vote: 0, lastIndex: isNew ? 0 : 9 };
    try {
      await checkStart({ env, life, membership: new Membership(1, members), incarnation, isNew, kept });
      return life.ended ? 'waits' : 'begins';
    } catch (error) {
      return codeOf(error) ?? String(error);
    }
  }

  const asNew: Told = { state: 0 };
  const settled: Told = { state: 1 };
  const unsure: Told = { state: 2 };

  it('R1 a new member begins with so many new ones as make a majority with it, or with one that knows all, and not before', async () => {
    assert.equal(await starts(true, 1, [asNew, asNew, undefined, undefined]), 'begins');
    assert.equal(await starts(true, 1, [asNew, undefined, undefined, undefined]), 'waits');
    assert.equal(await starts(true, 1, [asNew, asNew, asNew, unsure]), 'waits');
    assert.equal(await starts(true, 1, [unsure, unsure, unsure, unsure]), 'waits');
    assert.equal(await starts(true, 1, [settled, unsure, undefined, undefined]), 'begins');
    assert.equal(await starts(true, 1, [settled, { ...unsure, incarnation: 1 }, undefined, undefined]), 'EMPTIED');
    assert.equal(await starts(true, 1, [settled, { ...unsure, term: 3 }, undefined, undefined]), 'EMPTIED');
  });

  it('R5 a member with a memory begins at once, unless somebody has met this start or a later one, or was promised more', async () => {
    const met = (incarnation: number): Told => ({ ...unsure, incarnation });
    assert.equal(await starts(false, 4, [undefined, undefined, undefined, undefined]), 'begins');
    assert.equal(await starts(false, 4, [met(3), met(1), settled, undefined]), 'begins');
    assert.equal(await starts(false, 4, [met(3), met(4), undefined, undefined]), 'ROLLED_BACK');
    assert.equal(await starts(false, 4, [undefined, undefined, undefined, met(5)]), 'ROLLED_BACK');
    assert.equal(await starts(false, 4, [{ ...met(3), term: 5, acknowledged: 9 }, settled, undefined, undefined]), 'begins');
    assert.equal(await starts(false, 4, [{ ...met(3), term: 5, acknowledged: 10 }, settled, undefined, undefined]), 'ROLLED_BACK');
    assert.equal(await starts(false, 4, [{ ...met(3), term: 6 }, settled, undefined, undefined]), 'ROLLED_BACK');
  });
});

interface Told {
  /** 0 new, 1 settled, 2 unsure. */
  readonly state: number;
  readonly incarnation?: number;
  readonly term?: number;
  readonly acknowledged?: number;
}

/** An answer on the wire; what is missing is 0. */
function remembers(answer: Told): Uint8Array {
  const { state, incarnation = 0, term = 0, acknowledged = 0 } = answer;
  return new ByteWriter(40).u8(state).u53(incarnation).u53(term).u53(acknowledged).u8(0).finish();
}

/** Every member has it from the log. */
async function announced(cluster: Cluster, node: ClusterNode, incarnation: number): Promise<void> {
  const known = (): boolean => cluster.alive.every(({ replica }) => replica.kv.incarnationOf(node.id) === incarnation);
  while (!known()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  for (const dir of ['tables', 'manifest', 'log']) void copy.mkdir(dir);
  for (const path of disk.files()) {
    const from = disk.openSync(path, 'read');
    const bytes = new Uint8Array(from.size());
    from.readSync(bytes, 0);
    copy.openSync(path, 'create').writeSync(bytes, 0);
  }
  return copy;
}
