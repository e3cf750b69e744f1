import assert from 'node:assert/strict';
import { ReferenceStore } from '../../workload/judge/reference-store.js';
import { NO_VALUE, type Kv, type Op } from '../../workload/history/operation.js';
import { judgeWatch, WATCH_ALL, WATCH_PREVIOUS, WATCH_TRUE } from './judge-watch.js';
import { Sightings } from './sightings.js';
import type { Wanted } from './wanted.js';
import {
  WATCH_COMPACTED, WATCH_ONCE, WATCH_ORDER, WATCH_PROGRESS, WATCH_WANTED, WATCH_WHOLE, WatchLog, type Message, type Told,
} from './watch-log.js';

const ALL: Wanted = { key: '', end: '\0', prevKv: true, noPut: false, noDelete: false, fragment: false, progressNotify: false };
const put = (key: string, value: number): Extract<Op, { kind: 'put' }> => ({ kind: 'put', key, value, prevKv: false, lease: 0 });
const gone = (): boolean => false;

/** Revisions 2 to 6. */
function past(): ReferenceStore {
  const store = new ReferenceStore(['a', 'b', 'c']);
  store.apply(put('a', 1));
  store.apply({ kind: 'txn', compare: [], success: [put('b', 2), put('a', 3)], failure: [] });
  store.apply({ kind: 'delete', key: 'a', end: '', prevKv: false });
  store.apply({ ...put('c', 4), lease: 9 });
  store.apply({ kind: 'revoke', lease: 9 });
  return store;
}

/** All that a watch must be told of the revisions. */
function told(store: ReferenceStore, from: number, to: number, wanted = ALL): Told[] {
  const out: Told[] = [];
  for (let revision = from; revision <= to; revision++) {
    for (const { now, before } of store.changesAt(revision)) {
      out.push({ kv: now, prev: wanted.prevKv ? before : undefined, atUs: revision, node: 1 });
    }
  }
  return out;
}

function message(events: readonly Told[], revision = events.at(-1)?.kv.mod ?? 0, fragment = false): Message {
  return { revision, fragment, told: events };
}

function logOf(messages: readonly Message[], wanted = ALL, start = 2): WatchLog {
  const log = new WatchLog('1.1', wanted, start);
  log.created(1);
  for (const each of messages) assert.equal(log.take(each), undefined);
  return log;
}

describe('the verdict on a watch', () => {
  it('passes one that was told all, over several streams, filtered or not, and up to where it was told', () => {
    const store = past();
    const whole = logOf([message(told(store, 2, 3)), message(told(store, 4, 6))]);
    assert.equal(judgeWatch(whole, store, gone), undefined);
    whole.disconnected();
    assert.equal(whole.next, 7);
    assert.equal(judgeWatch(logOf([message(told(store, 2, 3))]), store, gone), undefined);
    const wanted = { ...ALL, noPut: true, prevKv: false };
    const deletes = told(store, 2, 6, wanted).filter(({ kv }) => kv.version === 0);
    const filtered = logOf([message(deletes)], wanted);
    assert.equal(judgeWatch(filtered, store, gone), undefined);
    assert.equal(deletes.length, 2);
  });

  it('objects when an event is missing, is another one, or never was', () => {
    const store = past();
    const all = told(store, 2, 6);
    const verdict = (list: readonly Told[]): string | undefined => judgeWatch(logOf([message(list, 6)]), store, gone)?.check;
    assert.equal(verdict(all), undefined);
    for (let i = 0; i < all.length; i++) assert.equal(verdict(all.filter((_, at) => at !== i)), WATCH_ALL);
    const changed = (i: number, kv: Partial<Kv>): Told[] =>
      all.map((each, at) => (at === i ? { ...each, kv: { ...each.kv, ...kv } } : each));
    assert.equal(verdict(changed(0, { value: 77 })), WATCH_TRUE);
    assert.equal(verdict(changed(4, { lease: 0 })), WATCH_TRUE);
    assert.equal(verdict(changed(1, { create: 2 })), WATCH_TRUE);
    assert.equal(verdict([all[0] as Told, { ...(all[1] as Told), kv: { ...(all[1] as Told).kv, key: 'c' } }, ...all.slice(2)]), WATCH_ALL);
    assert.equal(verdict([...all, { ...(all[5] as Told), kv: { ...(all[5] as Told).kv, key: 'zz' } }]), WATCH_TRUE);
  });

  it('objects when a revision is torn between two messages, comes twice, too early or out of order', () => {
    const store = past();
    const [first, b, a, del] = told(store, 2, 4) as [Told, Told, Told, Told];
    assert.equal(logOf([message([first, b], 3)]).take(message([a], 3))?.check, WATCH_ONCE);
    assert.equal(logOf([message([first, b, a])]).take(message([b, a]))?.check, WATCH_ONCE);
    assert.equal(logOf([]).take(message([b, first], 3))?.check, WATCH_ORDER);
    assert.equal(logOf([], ALL, 3).take(message([first]))?.check, WATCH_ONCE);
    assert.equal(logOf([]).take(message([first], 2, true))?.check, WATCH_WHOLE);
    assert.equal(logOf([], { ...ALL, noDelete: true }).take(message([first, b, a, del]))?.check, WATCH_WANTED);
    assert.equal(logOf([], { ...ALL, prevKv: false }).take(message([del], 4))?.check, WATCH_WANTED);
  });

  it('takes a revision in pieces where that was asked for, and all of it anew if the stream ends within', () => {
    const store = past();
    const wanted = { ...ALL, fragment: true };
    const [first, b, a] = told(store, 2, 3) as [Told, Told, Told];
    const log = logOf([message([first, b], 3, true)], wanted);
    assert.equal(log.next, 2);
    assert.equal(log.progress(3)?.check, WATCH_PROGRESS);
    log.disconnected();
    log.created(9);
    for (const each of [message([first, b], 3, true), message([a], 3)]) assert.equal(log.take(each), undefined);
    assert.equal(log.next, 4);
    assert.equal(judgeWatch(log, store, gone), undefined);
  });

  it('objects to progress that is told before the events are, and beyond what there is', () => {
    const store = past();
    const early = logOf([message(told(store, 2, 3))]);
    early.progress(5);
    assert.equal(judgeWatch(early, store, gone)?.check, WATCH_ALL);
    assert.equal(early.take(message(told(store, 4, 5)))?.check, WATCH_ONCE);
    const beyond = logOf([message(told(store, 2, 6))]);
    beyond.progress(7);
    assert.equal(judgeWatch(beyond, store, gone)?.check, WATCH_PROGRESS);
  });

  it('objects to another previous value, and to none, unless it may have been compacted', () => {
    const store = past();
    const all = told(store, 2, 6);
    const with3 = (prev: Kv | undefined): WatchLog => logOf([message(all.map((each) => (each.kv.mod === 4 ? { ...each, prev } : each)))]);
    const old = (all[0] as Told).kv;
    assert.equal(judgeWatch(with3(old), store, gone)?.check, WATCH_PREVIOUS);
    assert.equal(judgeWatch(with3(undefined), store, gone)?.check, WATCH_PREVIOUS);
    assert.equal(judgeWatch(with3(undefined), store, (revision) => revision === 4), undefined);
    assert.equal(judgeWatch(with3(old), store, () => true)?.check, WATCH_PREVIOUS);
  });

  it('goes on behind a compaction, and objects to one that takes nothing from the watch', () => {
    const store = past();
    const log = logOf([message(told(store, 2, 2))]);
    assert.equal(log.compacted(5), undefined);
    assert.equal(log.next, 5);
    assert.equal(log.take(message(told(store, 5, 6))), undefined);
    assert.equal(judgeWatch(log, store, gone), undefined);
    assert.equal(log.compacted(7)?.check, WATCH_COMPACTED);
  });

  it('what one watch was told and another one otherwise is found at once; what is told is evidence for the judge', () => {
    const store = past();
    const [first, b] = told(store, 2, 3) as [Told, Told];
    const sightings = new Sightings();
    assert.equal(sightings.see(first), undefined);
    assert.equal(sightings.see({ ...first, node: 2 }), undefined);
    assert.equal(sightings.see({ ...first, kv: { ...first.kv, value: NO_VALUE } }), first);
    sightings.see(b);
    assert.deepEqual(sightings.records().map(({ outcome }) => outcome?.kind === 'answered' && outcome.answer.revision), [2, 3]);
  });
});
