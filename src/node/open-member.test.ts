import assert from 'node:assert/strict';
import { get, put } from '../api/testing/requests.js';
import { fromUtf8 } from '../base/bytes.js';
import { MemoryDisk } from '../base/disk/memory-disk.js';
import type { Env } from '../base/env.js';
import { codeOf } from '../base/errors.js';
import { testEnv, TestHub } from '../base/testing/test-env.js';
import { openMember, type Member, type MemberOptions } from './open-member.js';
import { SMALL_TREE } from './testing/cluster.js';
import { rewrite } from './testing/files.js';

describe('opening a member', () => {
  let disk: MemoryDisk;
  /** What the member has asked of its network, in order. */
  let network: ('start' | 'stop')[];
  let failures: unknown[];
  let members: Member[];

  beforeEach(() => {
    disk = new MemoryDisk();
    network = [];
    failures = [];
    members = [];
  });

  afterEach(async () => {
    for (const { replica } of members) await replica.stop();
    assert.deepEqual(failures, []);
  });

  function env(): Env {
    const quiet = testEnv(1, disk, new TestHub(), () => undefined);
    const { start, stop } = quiet.network;
    return {
      ...quiet,
      network: {
        ...quiet.network,
        start: (handler) => (network.push('start'), start(handler)),
        stop: () => (network.push('stop'), stop()),
      },
    };
  }

  function options(clusterId = 77n): MemberOptions {
    return {
      self: 1, clusterId, members: [{ id: 1, name: 'n1', peerUrls: [] }], clientUrls: [], settings: SMALL_TREE,
      heartbeatMs: 10, electionMs: 100, logSegmentBytes: 64 * 1024, cacheBytes: 64 * 1024,
      onFatal: (error) => void failures.push(error),
    };
  }

  async function opened(): Promise<Member> {
    const member = await openMember(env(), options());
    members.push(member);
    return member;
  }

  async function started(): Promise<Member> {
    const member = await opened();
    const leads = member.replica.leadership.next();
    await member.replica.start();
    await leads;
    return member;
  }

  async function valueOf({ store }: Member, key: string): Promise<string | undefined> {
    const { kvs } = await store.range(get(key));
    return kvs[0] && fromUtf8(kvs[0].value);
  }

  it('wires healing, replica and store, and begins nothing: who looks on sees the first step', async () => {
    const { replica, healing, store } = await opened();
    assert.equal(replica.options.healing, healing);
    const stages: string[] = [replica.life.state.s];
    replica.life.subscribe(({ s }) => void stages.push(s));
    const terms: number[] = [];
    replica.leadership.subscribe(({ term }) => void terms.push(term));
    assert.deepEqual(network, []);
    const leads = replica.leadership.next();
    await replica.start();
    await leads;
    await store.put(put('k', 'v'));
    assert.equal(await valueOf({ replica, healing, store }, 'k'), 'v');
    assert.equal((await store.scrub(() => undefined)).faults, 0, 'the store reaches healing');
    assert.deepEqual(stages, ['opening', 'joining', 'serving']);
    assert.deepEqual([terms[0], terms.at(-1)], [0, 1], 'every change of leadership was seen');
    assert.deepEqual(network, ['start']);
  });

  it('refuses the directory of another cluster before any peer can see it, and leaves it as it was', async () => {
    const first = await started();
    await first.store.put(put('k', 'v'));
    await first.replica.stop();
    network = [];
    await assert.rejects(openMember(env(), options(78n)), (error) => codeOf(error) === 'WRONG_IDENTITY');
    assert.deepEqual(network, []);
    assert.equal(await valueOf(await started(), 'k'), 'v');
  });

  it('D1 a member that peers could call, and that cannot open, leaves its network stopped', async () => {
    const first = await started();
    for (let i = 0; first.replica.log.firstIndex() === 1; i++) {
      assert.ok(i < 4_000, 'the log is shortened');
      await first.store.put(put(`k${i % 50}`, `${i}`.padEnd(400, '.')));
    }
    await first.replica.stop();
    for (const name of await disk.list('manifest')) await rewrite(disk, `manifest/${name}`, (bytes) => bytes.fill(0));
    network = [];
    await assert.rejects(openMember(env(), options()), (error) => codeOf(error) === 'MANIFEST_UNREADABLE');
    assert.deepEqual(network, ['start', 'stop']);
  });

  it('ends once, however often it is told to stop, and all that it took is there at its next start', async () => {
    const first = await started();
    await first.store.put(put('k', 'v'));
    await Promise.all([first.replica.stop(), first.replica.stop()]);
    await first.replica.stop();
    assert.deepEqual(network, ['start', 'stop']);
    assert.equal(await valueOf(await started(), 'k'), 'v');
  });

  it('can be stopped before it was started', async () => {
    const { replica } = await opened();
    await replica.stop();
    assert.deepEqual(network, []);
    await started();
  });
});
