import assert from 'node:assert/strict';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { SmallDisk } from '../../base/disk/testing/small-disk.js';
import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import type { KintsugiEvent } from '../../base/events.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { newMessage } from '../../raft/message.js';
import { PROMISES_NOT_KEPT, PROMISES_PATH, PromisesStore, type Rememberer } from './promises-store.js';

const SELF: Rememberer = { self: 1, clusterId: 77n };
const PAGE = 4096;
const OLDER = 5 * PAGE;
const NEWER = 0;
const LIVES = { incarnationOf: (member: number): number => 10 + member };

describe('what the others have promised', () => {
  const clock = new ManualClock();
  let disk: MemoryDisk;
  let events: KintsugiEvent[];

  function open(on: Disk = disk, who = SELF): Promise<PromisesStore> {
    return PromisesStore.open({ disk: on, clock, events: { emit: (event: KintsugiEvent) => events.push(event) } } as unknown as Env, who);
  }

  function acknowledges(store: PromisesStore, index: number, term = 5): void {
    store.heard.note({ ...newMessage('MsgAppResp', 2, 1, term), index });
  }

  /** Once with entry 7, then with entry 9. */
  async function twice(): Promise<void> {
    const store = await open();
    for (const index of [7, 9]) {
      acknowledges(store, index);
      await store.stop();
    }
  }

  async function remembered(on: Disk = disk, who = SELF): Promise<number> {
    return (await open(on, who)).heard.of(2).acknowledged;
  }

  function overwrite(offset: number, length: number): void {
    disk.openSync(PROMISES_PATH, 'write').writeSync(new Uint8Array(length).fill(0x5a), offset);
  }

  beforeEach(() => {
    disk = new MemoryDisk();
    events = [];
  });

  it('R5 is there again in the next life: term, acknowledgement, vote, what was applied, and which life was met', async () => {
    const store = await open();
    store.heard.note(newMessage('MsgVoteResp', 3, 1, 6));
    acknowledges(store, 9);
    store.heard.noteApplied(2, 8);
    store.tick({ peers: [2, 3], removed: [] }, LIVES);
    await store.stop();
    const { heard } = await open();
    assert.deepEqual(heard.of(2), { term: 5, acknowledged: 9, votedForMe: false, applied: 8, incarnation: 12 });
    assert.deepEqual(heard.of(3), { term: 6, acknowledged: 0, votedForMe: true, applied: 0, incarnation: 13 });
    assert.equal(heard.of(4).term, 0);
  });

  it('R5 is written down once a second if something new was heard, over the older of two copies', async () => {
    let opened = 0;
    const store = await open();
    const plain = disk.open.bind(disk);
    disk.open = (path, mode) => (opened++, plain(path, mode));
    const tick = async (): Promise<void> => {
      store.tick({ peers: [2], removed: [] }, { incarnationOf: () => 0 });
      await new Promise((resolve) => setImmediate(resolve));
    };
    await tick();
    assert.deepEqual([opened, disk.sizeOf(PROMISES_PATH)], [0, undefined], 'nothing was heard');
    for (const index of [1, 2, 3, 4]) {
      acknowledges(store, index);
      await tick();
      await tick();
      assert.equal(await remembered(), index);
      assert.equal(opened, index);
    }
    assert.equal(disk.sizeOf(`${PROMISES_PATH}.tmp`), undefined);
  });

  it('R5 of damaged copies the sound one counts, and of none nothing; it goes on with both', async () => {
    await twice();
    overwrite(NEWER + 40, 1);
    assert.equal(await remembered(), 7);
    overwrite(OLDER + 4000, 1);
    assert.equal(await remembered(), 0);
    await twice();
    assert.equal(await remembered(), 9);
    overwrite(NEWER, PAGE);
    assert.equal(await remembered(), 7);
  });

  it('R5 a file that is cut short, longer, of another size or unreadable keeps nobody from starting, and is made anew', async () => {
    for (const size of [0, 100, PAGE, OLDER + 10, 9 * PAGE]) {
      await twice();
      await disk.openSync(PROMISES_PATH, 'write').truncate(size);
      const store = await open();
      acknowledges(store, 11, 6);
      await store.stop();
      assert.equal(await remembered(), 11, `of ${size} bytes`);
    }
    const bad = new FaultDisk(disk);
    bad.inject({ kind: 'read-error', path: PROMISES_PATH });
    assert.equal(await remembered(bad), 0);
  });

  it('R5 the memory of another member, of a former id or of another cluster is none', async () => {
    await twice();
    assert.equal(await remembered(disk, { self: 2, clusterId: 77n }), 0);
    assert.equal(await remembered(disk, { self: 1, clusterId: 78n }), 0);
    assert.equal(await remembered(), 9);
  });

  it('R5 a member that was removed is forgotten', async () => {
    await twice();
    const store = await open();
    store.tick({ peers: [], removed: [2] }, LIVES);
    await store.stop();
    assert.equal(await remembered(), 0);
  });

  it('C1 on a full disk it goes without, says so once, and has it when there is room; what was written down stays', async () => {
    const small = new SmallDisk();
    small.fill();
    const store = await open(small);
    const tick = async (index: number, ms: number): Promise<number> => {
      clock.advance(ms);
      acknowledges(store, index);
      store.tick({ peers: [], removed: [] }, LIVES);
      await new Promise((resolve) => setImmediate(resolve));
      return remembered(small);
    };
    for (let second = 1; second < 10; second++) assert.equal(await tick(second, 1_000), 0);
    assert.equal(events.filter((event) => event.type === 'warning' && event.message === PROMISES_NOT_KEPT).length, 1);
    assert.ok(small.refusals < 5, `it does not insist: ${small.refusals} times`);
    small.capacity = Infinity;
    assert.equal(await tick(20, 60_000), 20);
    small.fill();
    assert.equal(await tick(21, 1_000), 21, 'what is there needs no more room');
  });

  it('R5 a file whose sync failed gets nothing more: a new one takes its place', async () => {
    const bad = new FaultDisk(disk);
    const store = await open(bad);
    acknowledges(store, 7);
    await store.stop();
    bad.inject({ kind: 'sync-error', path: PROMISES_PATH, times: 1 });
    acknowledges(store, 8);
    await store.stop();
    acknowledges(store, 9);
    await store.stop();
    assert.equal(await remembered(bad), 9);
  });
});
