import assert from 'node:assert/strict';
import { EMPTY } from '../../base/bytes.js';
import { NetworkError } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import { silent } from '../../base/testing/silent.js';
import type { NodeId } from '../../base/ids.js';
import { StorageError } from '../../storage/base/errors.js';
import type { Tree } from '../../storage/tree/tree.js';
import { Version } from '../../storage/version/version.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { EtcdError } from '../../api/etcd-error.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import type { DurableLog } from '../log/durable-log.js';
import { DESCRIBE_METHOD, encodeDescription } from '../state/description.js';
import { staticMembers, type Members } from '../state/members.js';
import { MemberState } from '../state/testing/member-state.js';
import { NewerVersion } from './newer-version.js';
import type { SnapshotReceiver } from './snapshot-receiver.js';

const PLACE = { nextTableId: 9, flushed: { index: 50, term: 1 } };

function table(id: number, sequence: number): TableMeta {
  const key = Uint8Array.from([1, 97, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  return {
    id, birth: { term: 1, proposer: 1, sequence, ordinal: 0 }, bytes: 100, rootDigest: 'aa'.repeat(16),
    fileDigest: sequence.toString(16).padStart(32, '0'), smallest: key, largest: key, entries: 1, tombstones: 0,
    minRevision: 1, maxRevision: 1, liveDelta: 0, scheme: { kind: 'none' },
  };
}

function version(last: number, tables: readonly TableMeta[] = []): Version {
  const empty = Version.empty();
  return empty.with({ ...PLACE, last: { index: last, term: 1 }, levels: [tables, ...empty.levels.slice(1)] });
}

/** Member 9 has come, and all others that are known here are gone. */
const MEMBERS: Members = {
  ...staticMembers([1, 9].map((id) => ({ id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] }))), isStatic: false, removed: [2, 3, 4],
};
const LOST = new StorageError('BLOCK_UNREADABLE', 'bad', { tableId: 3, offset: 0 });
const GONE = new EtcdError('DATA_LOSS');
const COMPACTED = new NetworkError('UNREACHABLE', 'some have no such table', { gone: true });
const AWAY = new NetworkError('UNREACHABLE', 'a peer is away', {});

describe('asking for a newer version', () => {
  let clock: ManualClock;
  let answers: Map<NodeId, Version | undefined>;
  let asked: number;
  let taken: number[];
  let newer: NewerVersion;
  let guests: NodeId[];
  const use = (manifest: Version): Promise<boolean> => Promise.resolve(void taken.push(manifest.last.index) === undefined);

  beforeEach(() => {
    clock = new ManualClock();
    answers = new Map();
    guests = [];
    asked = 0;
    taken = [];
    const network = {
      guests: () => guests,
      setPeers: () => undefined,
      describe: () => Promise.reject(AWAY),
      call: (to: NodeId, method: string): Promise<Uint8Array> => {
        if (method === DESCRIBE_METHOD && !guests.includes(to)) return Promise.reject(AWAY);
        if (method === DESCRIBE_METHOD) return Promise.resolve(encodeDescription({ clusterId: 1n, members: MEMBERS }));
        asked++;
        if (!answers.has(to)) return Promise.reject(AWAY);
        const manifest = answers.get(to);
        return Promise.resolve(manifest ? encodeManifest(manifest) : EMPTY);
      },
    };
    const member = new MemberState(1, [1, 2, 3, 4]).serve();
    newer = new NewerVersion({
      env: { clock, network, events: silent } as unknown as Env,
      life: member.life,
      membership: member.membership,
      clusterId: 1n,
      tree: { meta: (id: number) => (id === 3 ? table(3, 30) : undefined), materialized: version(60) } as unknown as Tree,
      log: { firstIndex: () => 1, lastIndex: () => 100, term: () => 1 } as unknown as DurableLog,
      receiver: {
        obtain: (_from: NodeId, _manifest: Version, arrived: () => Promise<boolean>) => arrived(),
      } as unknown as SnapshotReceiver,
    });
  });

  it('D1 the newest that suits is taken, from whoever answers', async () => {
    answers.set(2, version(70)).set(3, version(80));
    assert.ok(await newer.seek(LOST, GONE, use));
    assert.deepEqual(taken, [80]);
    clock.advance(60_000);
    assert.ok(await newer.seek(LOST, COMPACTED, use));
    assert.deepEqual(taken, [80, 80]);
  });

  it('one that names the lost table, under whatever id, or that does not suit, is of no use', async () => {
    answers.set(2, version(70, [table(8, 30)])).set(3, version(55)).set(4, undefined);
    assert.ok(!(await newer.seek(LOST, GONE, use)));
    assert.deepEqual([taken, asked], [[], 3]);
  });

  it('D1 while a peer could not say whether it has the bytes, nobody is asked before some time has gone by', async () => {
    answers.set(2, version(70)).set(3, version(80));
    assert.ok(!(await newer.seek(LOST, AWAY, use)));
    clock.advance(3_000);
    assert.ok(!(await newer.seek(LOST, AWAY, use)));
    assert.equal(asked, 0);
    clock.advance(3_000);
    assert.ok(await newer.seek(LOST, AWAY, use));
  });

  it('D1 while those that are known are away, those that talk to this member are asked, too', async () => {
    guests = [9];
    answers.set(9, version(80));
    assert.ok(!(await newer.seek(LOST, AWAY, use)));
    for (let waited = 0; waited < 6_000; waited += 1_000) {
      clock.advance(1_000);
      if (await newer.seek(LOST, AWAY, use)) break;
    }
    assert.deepEqual(taken, [80]);
  });

  it('what does not help is tried less and less often', async () => {
    for (let at = 0; at < 60_000; at += 100) {
      await newer.seek(LOST, GONE, use);
      clock.advance(100);
    }
    assert.ok(asked >= 3 * 4 && asked <= 3 * 12, `${asked} calls in a minute`);
  });
});
