import assert from 'node:assert/strict';
import { EMPTY } from '../../base/bytes.js';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Clock, Env } from '../../base/env.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import { silent } from '../../base/testing/silent.js';
import { testWorkers } from '../../base/testing/test-env.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { StorageError } from '../../storage/base/errors.js';
import { Version } from '../../storage/version/version.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import { ManifestStore } from '../../storage/version/manifest-store.js';
import { EarlyHandler } from './early-handler.js';
import { HardStateStore } from '../hard-state/hard-state.js';
import type { DurableLog, OpenedLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';
import { openLog, someEntries } from '../log/testing/log-fixture.js';
import { regainVersion } from './regain-version.js';

const PEERS = [2, 3];
const LOST = new StorageError('MANIFEST_UNREADABLE', 'manifest/1');

/** Of a peer: its flushed and its materialized index, and nothing in tables. */
function version(flushed: number, last: number, term = 1): Version {
  return Version.empty().with({ flushed: { index: flushed, term }, last: { index: last, term } });
}

/**
 * One member whose manifest is lost, on a real disk in memory; what its peers answer is the test's.
 */
class Bench {
  readonly disk = new FaultDisk(new MemoryDisk());
  /** What each peer gives; undefined: it cannot be reached. */
  answers = new Map<NodeId, Version | undefined>();
  /** Before the peers answer; the first round is 1. */
  onRound: (round: number) => void = () => undefined;
  readonly opened: DurableLog[] = [];
  readonly judgedBy: LogIndex[] = [];
  /** Damaged up to here. */
  damagedTo = 0;
  rounds = 0;
  /** Who says that this member was removed, and whom nothing here names. */
  liar = 0;

  async regain(): Promise<{ opened: OpenedLog; store: ManifestStore; hardState: HardStateStore }> {
    const { disk } = this;
    for (const dir of ['manifest', 'tables', 'log']) await disk.mkdir(dir);
    const hardState = await HardStateStore.open(disk);
    if (hardState.current === undefined) {
      await hardState.create({ term: 3, vote: 0, clusterId: 7n, memberId: 1, incarnation: 1, manifestGeneration: 1, manifestDigest: 'ab'.repeat(16) });
    }
    const store = ManifestStore.lost(
      {
        disk, workers: testWorkers, scheme: DEFAULT_TREE_SETTINGS.format.scheme,
        commitGeneration: ({ generation, digest }) => hardState.update({ manifestGeneration: generation, manifestDigest: digest }),
      },
      { generation: 1, digest: 'ab'.repeat(16) }, Version.empty(),
    );
    const env = this.#env();
    const membership = { self: 1, peers: PEERS, isNamed: (id: NodeId) => id !== this.liar, askWho: () => Promise.resolve() };
    const opened = await regainVersion({
      env, membership, early: new EarlyHandler(env.network), hardState, store,
      cause: LOST,
      needsPeer: false,
      logs: {
        open: ({ flushed }) => this.#openLog(flushed.index), openMended: ({ flushed }) => this.#openLog(flushed.index),
        serve: () => undefined, endService: () => undefined,
      },
    });
    return { opened, store, hardState };
  }

  async #openLog(flushedIndex: LogIndex): Promise<OpenedLog> {
    this.judgedBy.push(flushedIndex);
    if (flushedIndex < this.damagedTo) throw new LogError('ENTRY_FAULTY', `entry ${this.damagedTo}`);
    const opened = await openLog(this.disk, { flushedIndex });
    this.opened.push(opened.log);
    return opened;
  }

  #env(): Env {
    const clock: Clock = {
      now: () => 0, wallNow: () => 0, defer: (fn) => void setImmediate(fn),
      setTimer: (_delay, fn) => {
        const handle = setImmediate(fn);
        return { cancel: () => clearImmediate(handle) };
      },
    };
    const call = (to: NodeId): Promise<Uint8Array> => {
      if (to === PEERS[0]) this.onRound(++this.rounds);
      if (to === this.liar) return Promise.reject(new NetworkError('REMOVED', 'this member was removed'));
      const manifest = this.answers.get(to);
      if (manifest === undefined) return Promise.reject(new NetworkError('UNREACHABLE', `no ${to}`));
      return Promise.resolve(manifest.flushed.index === 0 ? EMPTY : encodeManifest(manifest));
    };
    const network = { call, send: () => undefined, start: () => Promise.resolve(), stop: () => Promise.resolve() };
    return { clock, network, disk: this.disk, events: silent, workers: { breathe: () => undefined } } as unknown as Env;
  }
}

/**
 * Entries 1 to `last`, of which those up to `dropped`, as far as whole segments go, are no longer
 * there.
 */
async function writeLog(disk: FaultDisk, last: number, dropped: number): Promise<number> {
  const { log } = await openLog(disk);
  for (let at = 1; at <= last; at += 20) await log.append(someEntries(at, 20, 1, 400), at - 1);
  await log.truncateBefore(dropped, 1);
  const first = log.firstIndex();
  await log.close();
  return first;
}

describe('taking the version of a peer', () => {
  it('R2 waits for one that reaches to where its own log begins, rather than forget what it acknowledged', async () => {
    const bench = new Bench();
    const first = await writeLog(bench.disk, 200, 150);
    assert.ok(first > 60);
    bench.answers = new Map([[2, version(first - 2, 190)], [3, version(20, 300)]]);
    bench.onRound = (round) => {
      if (round === 4) bench.answers.set(2, version(first - 1, 200));
    };
    const { opened, store } = await bench.regain();
    assert.equal(bench.rounds, 4);
    assert.deepEqual(store.manifest.flushed, { index: first - 1, term: 1 });
    assert.deepEqual([opened.log.firstIndex(), opened.log.lastIndex()], [first, 200], 'and keeps its log');
  });

  it('R6 a log that is damaged behind the flushed index stops it when every peer has answered, and waits for the others before', async () => {
    const bench = new Bench();
    await writeLog(bench.disk, 100, 0);
    bench.damagedTo = 80;
    bench.answers.set(2, version(50, 90));
    bench.onRound = (round) => {
      if (round === 3) bench.answers.set(3, version(85, 95));
    };
    const { store } = await bench.regain();
    assert.equal(store.manifest.flushed.index, 85);
    assert.deepEqual(bench.judgedBy, [0, 50, 50, 85]);
    bench.damagedTo = 95;
    await assert.rejects(bench.regain(), (error) => codeOf(error) === 'ENTRY_FAULTY');
  });

  it('R5 is not ended by one that only talks to it and says that it was removed, but by one that its files or flags name', async () => {
    const bench = new Bench();
    const first = await writeLog(bench.disk, 200, 150);
    bench.liar = 3;
    bench.answers.set(2, version(first - 1, 200));
    const { store } = await bench.regain();
    assert.equal(store.manifest.flushed.index, first - 1);
  });

  it('R3 the term comes first, then the mark in the log, then the manifest: power may go between any two', async () => {
    const bench = new Bench();
    await writeLog(bench.disk, 40, 0);
    bench.answers = new Map(PEERS.map((peer) => [peer, version(60, 75, 5)]));
    const { opened, hardState, store } = await bench.regain();
    assert.equal(hardState.current?.term, 5, 'the log may soon begin with an entry of that term');
    await opened.log.close();
    store.close();
    // The manifest is durable and the log not yet begun anew: its materialized index proves nothing
    // about this log.
    const again = await openLog(bench.disk, { flushedIndex: 60, knownCommit: 75 });
    assert.equal(again.log.lastIndex(), 40);
    await again.log.close();
  });

  it('C1 goes on in a fresh segment when the one where its log ends cannot be written to any more', async () => {
    const bench = new Bench();
    await writeLog(bench.disk, 40, 0);
    bench.answers = new Map(PEERS.map((peer) => [peer, version(60, 75)]));
    let hits = (): number => 0;
    bench.onRound = () => {
      const failing = bench.disk.inject({ kind: 'write-error', path: (path) => path.endsWith('.seg'), times: 1 });
      hits = () => failing.hits;
    };
    const { opened, store } = await bench.regain();
    assert.equal(hits(), 1);
    assert.equal(store.manifest.flushed.index, 60);
    await opened.log.resetTo(60, 1, 75);
    await opened.log.append(someEntries(61, 3, 1, 40), 60);
    await opened.log.close();
    const again = await openLog(bench.disk, { flushedIndex: 60 });
    assert.equal(again.log.lastIndex(), 63);
    await again.log.close();
  });

  it('C1 on a full disk it waits with the old state named, and goes on when there is room', async () => {
    const bench = new Bench();
    await writeLog(bench.disk, 40, 0);
    bench.answers = new Map(PEERS.map((peer) => [peer, version(60, 75)]));
    const full = bench.disk.inject({ kind: 'no-space', path: 'manifest' });
    const regained = bench.regain();
    while (full.hits < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await HardStateStore.open(bench.disk)).current?.manifestGeneration, 1);
    full.remove();
    assert.equal((await regained).store.manifest.flushed.index, 60);
  });
});
