import assert from 'node:assert/strict';
import type { KintsugiEvent } from '../../base/events.js';
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

  beforeEach(() => {
    done = [];
    events = [];
    watch = new StallWatch({ emit: (event) => void events.push(event) }, 1_000);
  });

  function look(stalledMs: number, peers: Readonly<Record<number, Peer>>, isLeader = true): void {
    const progress = new Map(Object.entries(peers).map(([id, peer]) => [Number(id), peer]));
    watch.look({
      id: 1, isLeader, term: 3,
      status: () => ({ progress }),
      transferLeader: (to: number) => void done.push(`to ${to}`),
      stepDown: () => void done.push('down'),
    } as unknown as Parameters<StallWatch['look']>[0], stalledMs);
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

  it('steps down at once where nobody could take over', () => {
    look(1_000, { 1: GOOD, 2: { ...GOOD, recentActive: false } });
    assert.deepEqual(done, ['down']);
  });
});
