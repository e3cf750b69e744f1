/**
 * A hub over the state machine on the storage engine's tree, without a log: what is applied is
 * recorded, and what streams give is held against it.
 */

import assert from 'node:assert/strict';
import { ManualClock } from '../../../base/testing/manual-clock.js';
import { compareBytes } from '../../../base/bytes.js';
import { Watermark } from '../../../base/watermark.js';
import { SYSTEM_SPACE, USER_SPACE, type TreeWrite } from '../../../storage/base/read-view.js';
import type { AuthCommand } from '../../auth/auth-command.js';
import { MEMBER } from '../../auth/principal.js';
import { Access } from '../../auth/access.js';
import { AuthState } from '../../auth/auth-state.js';
import { SimpleTokens } from '../../auth/simple-tokens.js';
import { Life } from '../../state/life.js';
import { KvMachine } from '../../kv/kv-machine.js';
import { RecentRevisions } from '../../kv/recent-revisions.js';
import { rangeTo } from '../../kv/range.js';
import { SYSTEM_KEYS, systemWrite } from '../../kv/system-keys.js';
import { runToEnd } from '../../kv/testing/run-to-end.js';
import { StorageTree } from '../../kv/testing/storage-tree.js';
import { decodeKeyValue } from '../../kv/value-record.js';
import { WatchHub, type WatchHubOptions } from '../watch-hub.js';
import type { KvCommand } from '../../kv/command.js';
import type { WatchStream } from '../watch-stream.js';
import type { WatchCreateRequest, WatchEvent, WatchResponse } from '../../../api/watch.js';
import type { Caller } from '../../../api/caller.js';
import { EMPTY } from '../../../base/bytes.js';

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface WorldOptions extends Partial<WatchHubOptions> {
  readonly recentBytes?: number;
  readonly sliceKeys?: number;
  /** Nothing that is done in slices waits between them. */
  readonly unpaused?: boolean;
}

export class WatchWorld {
  readonly writes: TreeWrite[] = [];
  readonly storage = new StorageTree();
  readonly recent: RecentRevisions;
  readonly clock = new ManualClock();
  readonly life = new Life();
  readonly leadership = { leader: 1 };
  readonly tokens = new SimpleTokens();
  readonly auth = new AuthState(this.tokens);
  readonly access = new Access({ auth: this.auth }, this.tokens);
  readonly applied = new Watermark('applied', 0);
  readonly hub: WatchHub;
  readonly streams: WatchedStream[] = [];
  readonly #sliceKeys: number;
  machine: KvMachine;
  open = true;
  index = 0;

  constructor({ recentBytes, sliceKeys = 128, unpaused = false, ...options }: WorldOptions = {}) {
    this.recent = new RecentRevisions(recentBytes);
    this.#sliceKeys = sliceKeys;
    this.machine = this.#fresh();
    this.life.to({ s: 'joining' });
    this.life.to({ s: 'serving' });
    this.life.subscribe((now) => {
      if (now.s === 'failed') throw now.error;
    });
    const world = this;
    this.hub = new WatchHub({
      env: { clock: this.clock, workers: { breathe: () => (unpaused ? undefined : turn()) } },
      life: this.life,
      get tree() { return world.storage.tree; },
      state: { get kv() { return world.machine; }, recent: this.recent, access: this.access },
      reads: { get open() { return world.open; }, serializable: () => Promise.resolve() },
      progress: { applied: this.applied },
      leadership: this.leadership,
      healing: { repair: (error) => Promise.reject(error) },
    }, { electionMs: 1_000, ...options });
  }

  #fresh(recent = this.recent): KvMachine {
    const { storage, writes } = this;
    const newer = (write: TreeWrite): boolean => write.space === USER_SPACE && write.revision > (writes.at(-1)?.revision ?? 0);
    let staged: TreeWrite[] = [];
    return new KvMachine({
      view: () => storage.tree.view(),
      get current() { return storage.tree.current; },
      write(some) { writes.push(...some.filter(newer)); storage.tree.write(some); },
      stage(one) { staged.push(one); storage.tree.stage(one); },
      publish() { writes.push(...staged.filter(newer)); staged = []; storage.tree.publish(); },
    }, { sliceKeys: this.#sliceKeys, recent });
  }

  apply(what: KvCommand): void {
    this.index += 1;
    runToEnd(this.machine.apply(this.index, undefined, what, false));
    this.applied.advance(this.index);
  }

  /** Told later, with what comes after it: as apply does with what it takes in one stretch. */
  applyAuth(...commands: readonly AuthCommand[]): void {
    for (const one of commands) this.auth.apply(++this.index, MEMBER, one);
    this.applied.move(this.index);
  }

  async flush(): Promise<void> {
    this.index += 1;
    const { index, machine } = this;
    await this.storage.flush(index, [...machine.sealState(index), systemWrite(index, SYSTEM_KEYS.leases, machine.leases.encode())]);
    this.index += 1;
  }

  /**
   * Other state in the place of this, that `commands` led to elsewhere: everything is loaded anew,
   * and nothing read meanwhile.
   */
  async replace(commands: readonly KvCommand[] = []): Promise<void> {
    await this.flush();
    this.open = false;
    const there = this.#fresh(new RecentRevisions());
    this.#load(there, this.index - 1);
    this.machine = there;
    for (const what of commands) runToEnd(there.apply(++this.index, undefined, what, false));
    await this.flush();
    const at = this.storage.restart();
    await turn();
    this.machine = this.#fresh();
    this.#load(this.machine, at);
    await turn();
    this.open = true;
    this.applied.advance(this.index);
  }

  #load(machine: KvMachine, at: number): void {
    const { current } = this.storage.tree;
    machine.load(current, at);
    machine.leases.load(current.get(SYSTEM_SPACE, SYSTEM_KEYS.leases, at)?.value);
  }

  async merge(): Promise<void> {
    this.index += 1;
    await this.storage.compact(this.index, this.machine.compactRevision);
    this.index += 1;
  }

  stream(caller?: Caller): WatchedStream {
    const stream = new WatchedStream(this, this.hub.open({ caller }));
    this.streams.push(stream);
    return stream;
  }
}

export function createOf(key: string, rangeEnd = '', more: Partial<WatchCreateRequest> = {}): WatchCreateRequest {
  const bytes = (text: string): Uint8Array => (text === '' ? EMPTY : Uint8Array.from(text, (c) => c.charCodeAt(0)));
  return {
    key: bytes(key), rangeEnd: bytes(rangeEnd), startRevision: 0, progressNotify: false, noPut: false, noDelete: false, prevKv: false,
    watchId: 0, fragment: false, ...more,
  };
}

interface Seen {
  readonly request: WatchCreateRequest;
  /** From where on. */
  readonly start: number;
  readonly wanted: () => TreeWrite[];
  got: number;
  compacted: number;
  dropped: boolean;
}

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

/** Checks each answer as it is taken. */
export class WatchedStream {
  readonly session: WatchStream;
  readonly watchers = new Map<number, Seen>();
  readonly answers: WatchResponse[] = [];
  readonly #world: WatchWorld;
  readonly #asked: WatchCreateRequest[] = [];
  progress = 0;

  constructor(world: WatchWorld, session: WatchStream) {
    this.#world = world;
    this.session = session;
  }

  async create(request: WatchCreateRequest): Promise<void> {
    this.#asked.push(request);
    await this.session.handle({ kind: 'create', create: request });
  }

  async cancel(watchId: number): Promise<void> {
    await this.session.handle({ kind: 'cancel', watchId });
  }

  /** The next answer, looked at. */
  async take(): Promise<WatchResponse> {
    const answer = await this.session.next();
    assert(answer !== undefined);
    this.answers.push(answer);
    if (answer.created) this.#created(answer);
    else if (answer.canceled) this.#canceled(answer);
    else if (answer.events.length === 0) this.#progress(answer);
    else this.#events(answer);
    return answer;
  }

  #created({ watchId, revision, canceled }: WatchResponse): void {
    const request = this.#asked.shift();
    assert(request !== undefined, 'what was created was asked for');
    if (canceled) return;
    const { rangeEnd, startRevision, noPut, noDelete } = request;
    const key = request.key.length === 0 ? Uint8Array.of(0) : request.key;
    const start = startRevision === 0 ? revision + 1 : startRevision;
    const to = rangeTo(rangeEnd);
    const inRange = (other: Uint8Array): boolean => rangeEnd.length === 0
      ? compareBytes(key, other) === 0
      : compareBytes(other, key) >= 0 && (to === undefined || compareBytes(other, to) < 0);
    const wanted = (): TreeWrite[] => this.#world.writes.filter((write) =>
      write.revision >= start && inRange(write.key) && !(write.tombstone ? noDelete : noPut));
    this.watchers.set(watchId, { request, start, wanted, got: 0, compacted: 0, dropped: false });
  }

  #of(watchId: number): Seen {
    const seen = this.watchers.get(watchId);
    assert(seen !== undefined && !seen.dropped && seen.compacted === 0, 'W1 only of watchers that there are');
    return seen;
  }

  #canceled({ watchId, compactRevision }: WatchResponse): void {
    const seen = this.#of(watchId);
    if (compactRevision === 0) seen.dropped = true;
    else {
      seen.compacted = compactRevision;
      const next = seen.wanted()[seen.got]?.revision;
      assert(next === undefined || seen.start < compactRevision, 'W1 only what is compacted is left out');
    }
  }

  #progress({ watchId, revision }: WatchResponse): void {
    const told = watchId === -1 ? [...this.watchers.values()] : [this.#of(watchId)];
    for (const seen of told) if (!seen.dropped && seen.compacted === 0) this.#allUpTo(seen, revision);
    this.progress = revision;
  }

  #allUpTo(seen: Seen, revision: number): void {
    const missing = seen.wanted()[seen.got];
    assert(missing === undefined || missing.revision > revision, `W1 all up to ${revision} was told, not ${missing?.revision}`);
  }

  #events({ watchId, events, revision, fragment }: WatchResponse): void {
    const seen = this.#of(watchId);
    const wanted = seen.wanted();
    for (const event of events) this.#event(event, wanted[seen.got++], seen.request.prevKv);
    const last = events.at(-1)?.kv.modRevision ?? 0;
    assert(revision >= last, 'the header is not behind its events');
    if (fragment) assert(seen.request.fragment);
    else {
      assert(wanted[seen.got]?.revision !== last, `W1 revision ${last} is whole`);
      this.#allUpTo(seen, revision);
    }
  }

  #event(event: WatchEvent, write: TreeWrite | undefined, withPrev: boolean): void {
    assert(write !== undefined, 'W1 no more is told than was written');
    const { key, revision, tombstone } = write;
    assert.deepEqual([event.type, hex(event.kv.key), event.kv.modRevision], [tombstone ? 'delete' : 'put', hex(key), revision]);
    if (!tombstone) assert.deepEqual(event.kv, decodeKeyValue(event.kv.key, revision, write.value));
    const before = this.#world.writes.findLast((one) => one.revision < revision && compareBytes(one.key, key) === 0);
    const prev = before === undefined || before.tombstone ? undefined : decodeKeyValue(before.key, before.revision, before.value);
    if (event.prevKv !== undefined) assert(withPrev && prev !== undefined && hex(prev.value) === hex(event.prevKv.value));
    else if (withPrev) assert(prev === undefined || revision - 1 < this.#world.machine.compactRevision, 'what was there before is told');
  }

  /** Takes all until every watcher has been told everything. */
  async drain(): Promise<void> {
    const { revision } = this.#world.machine;
    for (;;) {
      while (this.#asked.length > 0) await this.take();
      const live = [...this.watchers.values()].filter(({ dropped, compacted }) => !dropped && compacted === 0);
      if (live.every((seen) => seen.wanted().length === seen.got)) return;
      await this.take();
      assert(this.#world.machine.revision === revision);
    }
  }
}
