import assert from 'node:assert/strict';
import { AssertionError } from '../../base/assert.js';
import { utf8 } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import { silent } from '../../base/testing/silent.js';
import { newMessage } from '../../raft/message.js';
import type { Message } from '../../raft/types.js';
import { StorageError } from '../../storage/base/errors.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { TreeHarness } from '../../storage/testing/tree-harness.js';
import type { FetchTableOptions, TableFetcher } from '../fetch/table-fetcher.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { Life } from '../state/life.js';
import { MemberState } from '../state/testing/member-state.js';
import { SnapshotReceiver } from './snapshot-receiver.js';

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function flushed(): Promise<TreeHarness> {
  const harness = await TreeHarness.open();
  harness.write([{ space: USER_SPACE, key: utf8('k'), revision: 2, sub: 0, tombstone: false, liveDelta: 1, value: utf8('v') }]);
  harness.seal();
  await harness.flush();
  await harness.record();
  return harness;
}

function snapshotOf({ manifest }: TreeHarness, term: number): Message {
  const message = newMessage('MsgSnap', 1, 2, term);
  message.snapshot = {
    metadata: { ...manifest.flushed, confState: { voters: [1, 2], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false } },
    data: encodeManifest(manifest),
  };
  return message;
}

describe('receiving snapshots', () => {
  it('S2 a snapshot that says another index than its manifest is not received', async () => {
    const source = await flushed();
    const own = await TreeHarness.open();
    const warnings: string[] = [];
    const env = {
      disk: own.disk, events: { emit: (event: { message?: string }) => void warnings.push(event.message ?? '') },
      clock: new ManualClock(), network: { send: () => undefined },
    } as unknown as Env;
    const completed: Message[] = [];
    const receiver = new SnapshotReceiver({
      env, tree: own.tree, tables: own.tables, fetcher: {} as unknown as TableFetcher, membership: { peers: [1] },
      raft: { driver: { step: (message) => void completed.push(message) }, life: new Life() },
    });
    const message = newMessage('MsgSnap', 1, 2, 1);
    const { index, term } = source.manifest.flushed;
    message.snapshot = {
      metadata: {
        index: index + 1, term, confState: { voters: [1, 2], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
      },
      data: encodeManifest(source.manifest),
    };
    receiver.offer(message);
    await turn();
    assert.deepEqual([completed.length, warnings.length, receiver.busy], [0, 1, false]);
  });

  it('a broken invariant on the way ends the member, and is not said to be a snapshot that failed', async () => {
    const source = await flushed();
    const own = await TreeHarness.open();
    const member = new MemberState().serve();
    const bug = new AssertionError('invariant broken: S4 for the test');
    const warnings: string[] = [];
    const env = {
      disk: own.disk, events: { emit: (event: { message?: string }) => void warnings.push(event.message ?? '') },
      clock: new ManualClock(), network: { send: () => undefined },
    } as unknown as Env;
    const receiver = new SnapshotReceiver({
      env, tree: own.tree, tables: own.tables, membership: { peers: [1] },
      fetcher: { fetchTable: () => Promise.reject(bug) } as unknown as TableFetcher,
      raft: { driver: { step: () => assert.fail('it is not complete') }, life: member.life },
    });
    receiver.offer(snapshotOf(source, 1));
    for (let i = 0; i < 10; i++) await turn();
    assert.deepEqual(member.failures, [bug]);
    assert.deepEqual(warnings, []);
    assert.equal(receiver.busy, false);
  });

  it('S5 a cancelled transfer leaves alone what lies under the name of the table meanwhile', async () => {
    const source = await flushed();
    const own = await TreeHarness.open();
    const { disk } = own;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const paths: string[] = [];
    const fetcher = {
      fetchedBytes: 0,
      fetchTable: async (_meta: TableMeta, path: string, options: FetchTableOptions) => {
        paths.push(path);
        await disk.unlink(path);
        (await disk.open(path, 'create')).close();
        await held;
        if (options.token?.cancelled === true) {
          await disk.unlink(path);
          throw new StorageError('CANCELLED', 'given up', {});
        }
      },
    } as unknown as TableFetcher;
    const completed: Message[] = [];
    const env = {
      disk, events: silent, clock: new ManualClock(), workers: { breathe: () => undefined }, network: { send: () => undefined },
    } as unknown as Env;
    const receiver = new SnapshotReceiver({
      env, tree: own.tree, tables: own.tables, fetcher, membership: { peers: [1] },
      raft: { driver: { step: (message) => void completed.push(message) }, life: new Life() },
    });
    receiver.offer(snapshotOf(source, 1));
    await turn();
    // The table was owed too, and the materializer is done with it.
    const [table] = source.manifest.list() as [TableMeta];
    (await disk.open(tablePath(table.id), 'create')).close();
    receiver.offer(snapshotOf(source, 2));
    await turn();
    release();
    await turn();
    await turn();
    assert.notEqual(disk.sizeOf(tablePath(table.id)), undefined, 'still there');
    assert.equal(new Set(paths).size, 2, 'the two transfers do not meet in one file');
    assert.ok(!paths.includes(tablePath(table.id)));
    assert.deepEqual(completed.map((message) => message.term), [2]);
    assert.deepEqual((await disk.list('tables')).filter((name) => name.endsWith('.tmp')), []);
  });
});
