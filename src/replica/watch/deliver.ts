/**
 * Changes of one revision go to the streams of all watchers that want them. First everything is
 * looked up, then it is queued: who fails on the way has queued nothing.
 */

import { assert } from '../../base/assert.js';
import type { Revision } from '../../base/ids.js';
import type { KeyValue } from '../../api/requests.js';
import type { KeyChange } from '../kv/key-change.js';
import { Pace } from '../kv/pace.js';
import type { Place } from './history-window.js';
import { ChangeEvents, keyText, type Watcher, type WatcherStream } from './watcher.js';
import type { WatcherIndex } from './watcher-index.js';

/** What a key was before a revision. Throws KintsugiError: it cannot be said now. */
export interface PreviousValues {
  read(key: Uint8Array, revision: Revision): KeyValue | undefined;
}

/** Where a watcher goes whose stream is full. */
export interface FullStreams {
  isFull(stream: WatcherStream): boolean;
  fallBehind(watcher: Watcher, place: Place): void;
}

interface Match {
  readonly watcher: Watcher;
  readonly events: ChangeEvents;
}

/**
 * A revision that changed one key, as nearly all do: what is queued of it is whole at once. As
 * {@link deliver}, and nothing is left to complete.
 */
function* deliverOne(
  hub: FullStreams, change: KeyChange, index: WatcherIndex, round: number, previous: PreviousValues,
): Generator<void, void> {
  const pace = new Pace();
  const { revision, sub } = change;
  const found: Watcher[] = [];
  index.matching(keyText(change.key), found);
  const events = new ChangeEvents(change);
  const wantsPrev = (watcher: Watcher): boolean => watcher.prevKv && takesPart(watcher, round) && watcher.wants(change);
  if (found.some(wantsPrev) && events.needsPrev) events.prev(previous.read(change.key, revision));
  for (const watcher of found) {
    if (pace.step()) yield;
    if (!takesPart(watcher, round) || !watcher.wants(change)) continue;
    if (hub.isFull(watcher.stream)) hub.fallBehind(watcher, { revision, sub });
    else watcher.stream.put(watcher, revision, events.of(watcher));
  }
}

const NOBODY: ReadonlySet<Watcher> = new Set();

/** All that changed at a revision, as {@link deliver}. */
export function* deliverWhole(
  hub: FullStreams, changes: readonly KeyChange[], index: WatcherIndex, round: number, previous: PreviousValues,
): Generator<void, ReadonlySet<Watcher>> {
  const [first] = changes;
  if (first === undefined || changes.length > 1) return yield* deliver(hub, changes, index, round, previous);
  yield* deliverOne(hub, first, index, round, previous);
  return NOBODY;
}

/**
 * `round`: only to watchers that take part in it; 0: to those that are told of each revision. Gives
 * those that got something: their revision is theirs to complete. One whose stream is full falls
 * behind.
 */
export function* deliver(
  hub: FullStreams, changes: readonly KeyChange[], index: WatcherIndex, round: number, previous: PreviousValues,
): Generator<void, Set<Watcher>> {
  const pace = new Pace();
  const matches: Match[] = [];
  const found: Watcher[] = [];
  for (const change of changes) {
    assert(change.revision === changes[0]?.revision, 'W1 revisions are told one after the other');
    found.length = 0;
    index.matching(keyText(change.key), found);
    if (pace.step()) yield;
    if (found.length === 0) continue;
    const events = new ChangeEvents(change);
    let looked = false;
    for (const watcher of found) {
      if (!takesPart(watcher, round) || !watcher.wants(change)) continue;
      matches.push({ watcher, events });
      if (!watcher.prevKv || looked) continue;
      looked = true;
      if (events.needsPrev) events.prev(previous.read(change.key, change.revision));
    }
  }
  const touched = new Set<Watcher>();
  for (const { watcher, events } of matches) {
    const { revision, sub } = events.change;
    if (pace.step()) yield;
    if (watcher.ended || !takesPart(watcher, round)) continue;
    if (watcher.admitted !== revision) {
      if (hub.isFull(watcher.stream)) {
        hub.fallBehind(watcher, { revision, sub });
        continue;
      }
      watcher.admitted = revision;
    }
    watcher.stream.add(watcher, revision, events.of(watcher));
    touched.add(watcher);
  }
  return touched;
}

function takesPart(watcher: Watcher, round: number): boolean {
  return round === 0 ? !watcher.lagging : watcher.round === round;
}
