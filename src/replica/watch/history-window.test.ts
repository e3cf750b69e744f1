import assert from 'node:assert/strict';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { runToEnd } from '../kv/testing/run-to-end.js';
import { Pace } from '../kv/pace.js';
import { HistoryWindow, WindowRoom, type Place } from './history-window.js';

const REVISIONS = 20_000;
const VALUE = new Uint8Array(100);
const WINDOW = 100_000;

interface Part {
  readonly end: Place;
  readonly given: number;
  readonly collected: number;
}

/** One change of each revision, in an order as tables have it: the newest and the oldest mixed. */
function part(room: WindowRoom, from: Place, bytesMax = WINDOW): Part {
  const window = new HistoryWindow(from, REVISIONS, bytesMax, room);
  const slot = new VersionSlot();
  const pace = new Pace();
  let collected = 0;
  for (let n = 0; n < REVISIONS; n++) {
    const revision = 1 + ((n * 7_919) % REVISIONS);
    if (revision < window.min || revision > window.max) continue;
    slot.set(revision, 0, false, 0, VALUE, 0, VALUE.length);
    window.add(slot);
    collected++;
    if (window.overfull) runToEnd(window.trim(pace));
  }
  const { changes, end } = runToEnd(window.take(pace));
  for (let i = 0; i < changes.length; i++) assert.equal(changes.revisionAt(i), from.revision + i, 'every one, in order');
  assert.equal(from.revision + changes.length, end.revision);
  return { end, given: changes.length, collected };
}

describe('a window of history', () => {
  it('collects little more than it gives, also before it is known how much there is in a revision', () => {
    const room = new WindowRoom();
    const first = part(room, { revision: 1, sub: 0 });
    assert.ok(first.collected <= 1.5 * first.given, `at first ${first.collected} for ${first.given}`);
    let at = first.end;
    let parts = 0;
    for (; at.revision <= REVISIONS; parts++) {
      const { end, given, collected } = part(room, at);
      assert.ok(collected <= 1.2 * given, `then ${collected} for ${given}`);
      assert.ok(end.revision > REVISIONS || given > 0.7 * first.given, `${given} of what fits, ${first.given}`);
      at = end;
    }
    assert.ok(parts > 20);
  });

  it('reaches further than at first once it has seen that there is little', () => {
    const room = new WindowRoom();
    const first = part(room, { revision: 1, sub: 0 }, 100 * WINDOW);
    const second = part(room, first.end, 100 * WINDOW);
    assert.ok(second.end.revision > REVISIONS, `after ${first.given} of the ${REVISIONS}, which all fit, up to ${second.end.revision}`);
  });
});
