import assert from 'node:assert/strict';
import type { KintsugiEvent } from '../../base/events.js';
import type { Clock } from '../../base/env.js';
import type { Entry } from '../../raft/types.js';
import { StallWatch } from './stall-watch.js';

interface Peer {
  readonly match: number;
  readonly state: string;
  readonly recentActive: boolean;
  readonly isLearner: boolean;
}

const GOOD: Peer = { match: 5, state: 'replicate', recentActive: true, isLearner: false };

describe('a leader whose disk stalls', () => {
  let done: string[];
  let events: KintsugiEvent[];
  let watch: StallWatch;
  let now: number;
  const clock = { now: () => now } as Clock;

  beforeEach(() => {
    done = [];
    now = 0;
    events = [];
    watch = new StallWatch({ events: { emit: (event) => void events.push(event) }, clock }, { electionMs: 1_000, heartbeatMs: 100 });
  });

  const core = (peers: Readonly<Record<number, Peer>>, isLeader = true, commit = 0): Parameters<StallWatch['look']>[0] => ({
    id: 1, isLeader, term: 3, commit,
    status: () => ({ progress: new Map(Object.entries(peers).map(([id, peer]) => [Number(id), peer])) }),
    transferLeader: (to: number) => void done.push(`to ${to}`),
    stepDown: () => void done.push('down'),
  } as unknown as Parameters<StallWatch['look']>[0]);

  function look(stalledMs: number, peers: Readonly<Record<number, Peer>>, isLeader = true): void {
    watch.look(core(peers, isLeader), stalledMs);
  }

  it('hands over after an election time-out to the voter that is furthest ahead, once, and steps down half of one later', () => {
    const peers = {
      1: { ...GOOD, match: 99 }, 2: GOOD, 3: { ...GOOD, match: 7 }, 4: { ...GOOD, match: 9, recentActive: false },
      5: { ...GOOD, match: 9, isLearner: true }, 6: { ...GOOD, match: 9, state: 'probe' },
    };
    look(999, peers);
    assert.deepEqual(done, []);
    look(1_000, peers);
    look(1_400, peers);
    assert.deepEqual(done, ['to 3']);
    look(1_500, peers);
    assert.deepEqual([done, events.length], [['to 3', 'down'], 1]);
    look(1_600, peers, false);
    look(1_100, peers);
    assert.deepEqual(done.slice(2), ['to 3'], 'another stall, another hand-over');
  });

  it('that is only slow hands over, too, and once in a minute at most', () => {
    const peers = { 1: GOOD, 2: GOOD, 3: { ...GOOD, match: 7 } };
    let index = 0;
    const write = (forMs: number, ownMs: number): void => {
      for (const end = now + forMs; now < end; ) {
        watch.asked(core(peers), [{ index: ++index } as Entry]);
        now += 1;
        watch.asked(core(peers, true, index), []);
        now += ownMs - 1;
        watch.written(index);
        watch.look(core(peers), ownMs);
      }
    };
    write(10_000, 2);
    assert.deepEqual(done, []);
    write(50_000, 100);
    assert.deepEqual(done, ['to 3']);
    assert.match(JSON.stringify(events[0]), /it takes 100 ms for what the others have after 1 ms/);
    write(20_000, 100);
    assert.deepEqual(done, ['to 3', 'to 3']);
  });

  it('hands over although the core has just begun to hear anew who is there', () => {
    look(0, { 1: GOOD, 2: GOOD });
    now = 900;
    look(1_000, { 1: GOOD, 2: { ...GOOD, recentActive: false } });
    assert.deepEqual(done, ['to 2']);
  });

  it('hands over to nobody who was not heard for an election time-out, or only by a leader before', () => {
    look(0, { 1: GOOD, 2: GOOD });
    now = 1_100;
    look(1_000, { 1: GOOD, 2: { ...GOOD, recentActive: false } });
    look(0, { 1: GOOD, 2: GOOD });
    look(0, {}, false);
    look(1_000, { 1: GOOD, 2: { ...GOOD, recentActive: false } });
    assert.deepEqual(done, ['down', 'down']);
  });

  it('steps down at once where nobody could take over', () => {
    look(1_000, { 1: GOOD, 2: { ...GOOD, recentActive: false } });
    assert.deepEqual(done, ['down']);
  });
});
