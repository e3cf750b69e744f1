/**
 * One watcher of a stream: what it wants, and how far it is. W1: every change before its place that
 * it wants was queued for its stream, each once; none at or after it was.
 */

import { EMPTY } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import type { KeyValue } from '../../api/requests.js';
import type { WatchCreateRequest, WatchResponse } from '../../api/watch.js';
import { SharedEvent } from '../../api/wire/watch-event.js';
import type { KeyChange } from '../kv/key-change.js';
import { decodeKeyValue } from '../kv/value-record.js';
import type { Place } from './history-window.js';

/** Above every key: no byte has this character. */
export const TO_END = '\uffff';
/** Characters that are put together at once. */
const PIECE = 4096;

/** One character per byte: their order is that of the bytes. */
export function keyText(key: Uint8Array): string {
  if (key.length <= PIECE) return String.fromCharCode(...key);
  let text = '';
  for (let at = 0; at < key.length; at += PIECE) text += String.fromCharCode(...key.subarray(at, at + PIECE));
  return text;
}

/** What a watcher's stream takes of it: see `watch-stream.ts`. */
export interface WatcherStream {
  readonly watchers: Map<number, Watcher>;
  /** Bytes of events that wait to be taken. */
  readonly queued: number;
  /** It was full: its watchers wait until half of that is sent. */
  blocked: boolean;
  answer(answer: WatchResponse): void;
  add(watcher: Watcher, revision: Revision, event: SharedEvent): void;
  put(watcher: Watcher, revision: Revision, event: SharedEvent): void;
  addPacked(watcher: Watcher, revision: Revision, bytes: Uint8Array, at: number, end: number): void;
  putPacked(watcher: Watcher, revision: Revision, bytes: Uint8Array, at: number, end: number): void;
  complete(watcher: Watcher, revision: Revision): void;
  partialBytes(watcher: Watcher): number;
  flushFragments(watcher: Watcher): void;
  forget(watcher: Watcher): void;
}

export class Watcher {
  readonly stream: WatcherStream;
  readonly id: number;
  /** The keys [from, to), or the single one. */
  readonly from: string;
  readonly to: string;
  readonly single: boolean;
  readonly key: Uint8Array;
  readonly keyEnd: Uint8Array | undefined;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  /** Of one that is told of each revision as it comes: the one after those, or later. */
  place: Place;
  /** It is read to from history, and not told of revisions as they come. */
  lagging = false;
  /** What the recent revisions cannot give must be read from the tree. */
  needsTree = false;
  ended = false;
  /** Takes part in this round of catching up; 0: in none. */
  round = 0;
  /** When it was last part of a read of history, by number. */
  served = 0;
  /** The revision whose changes its stream has taken upon itself. */
  admitted = 0;
  /** Nothing was queued for it since this was set. */
  quiet = true;

  constructor(stream: WatcherStream, id: number, request: WatchCreateRequest, place: Place) {
    this.stream = stream;
    this.id = id;
    this.single = request.rangeEnd.length === 0;
    this.key = request.key.length === 0 ? Uint8Array.of(0) : request.key.slice();
    this.from = keyText(this.key);
    const toEnd = request.rangeEnd.length === 1 && request.rangeEnd[0] === 0;
    this.keyEnd = this.single ? Uint8Array.of(...this.key, 0) : toEnd ? undefined : request.rangeEnd.slice();
    this.to = this.keyEnd === undefined ? TO_END : keyText(this.keyEnd);
    this.noPut = request.noPut;
    this.noDelete = request.noDelete;
    this.prevKv = request.prevKv;
    this.fragment = request.fragment;
    this.progressNotify = request.progressNotify;
    this.place = place;
  }

  /** Is it one of its keys? */
  concerns(key: Uint8Array): boolean {
    const text = keyText(key);
    return this.single ? text === this.from : text >= this.from && text < this.to;
  }

  /** Does it want this change of a key that concerns it? */
  wants({ revision, sub, tombstone }: KeyChange): boolean {
    return this.wantsAt(revision, sub, tombstone);
  }

  wantsAt(revision: Revision, sub: number, tombstone: boolean): boolean {
    if (this.ended || (tombstone ? this.noDelete : this.noPut)) return false;
    const { place } = this;
    return revision > place.revision || (revision === place.revision && sub >= place.sub);
  }
}

/** The event of a change, made when the first watcher wants it. */
export class ChangeEvents {
  readonly change: KeyChange;
  #plain: SharedEvent | undefined;
  #withPrev: SharedEvent | undefined;

  constructor(change: KeyChange) {
    this.change = change;
  }

  get plain(): SharedEvent {
    return (this.#plain ??= eventOf(this.change, undefined));
  }

  /** What was there before is not part of the change, and must be looked up. */
  get needsPrev(): boolean {
    return this.#withPrev === undefined && !isCreate(this.plain);
  }

  prev(prevKv: KeyValue | undefined): void {
    this.#withPrev = prevKv === undefined ? this.plain : eventOf(this.change, prevKv);
  }

  of(watcher: Watcher): SharedEvent {
    return watcher.prevKv ? this.#withPrev ?? this.plain : this.plain;
  }
}

function isCreate({ type, kv }: SharedEvent): boolean {
  return type === 'put' && kv.createRevision === kv.modRevision;
}

function eventOf({ key, revision, tombstone, record }: KeyChange, prevKv: KeyValue | undefined): SharedEvent {
  if (!tombstone) return new SharedEvent('put', decodeKeyValue(key, revision, record), prevKv);
  const kv = { key, createRevision: 0, modRevision: revision, version: 0, value: EMPTY, lease: 0n };
  return new SharedEvent('delete', kv, prevKv);
}
