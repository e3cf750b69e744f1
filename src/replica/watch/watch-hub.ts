/**
 * The watchers of one member. Each revision is told, in order, to those that are up to date; one
 * whose stream is full falls behind, holds nothing but its place, and catches up from the revisions
 * that are still in memory or, further back, from the tree (`history-reader.ts`). Nothing here is
 * done within apply: a write waits for no watcher, and no watcher for another.
 *
 * W1: each watcher gets each change that it wants once, in order, and each revision whole. It is in
 * one of two places: `synced`, where all up to `told` is queued for it, or `lagging`, where all
 * before its own place is. What moves between them never passes a revision over:
 *
 *   synced -> lagging   at the revision that its stream could not take
 *   lagging -> synced   when its place is after `told`, in one step with looking
 */

import { assert } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import { Coalesced } from '../../base/coalesced.js';
import { drive } from '../../base/drive.js';
import type { Timer } from '../../base/env.js';
import { KintsugiError } from '../../base/errors.js';
import type { Revision } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { WatchCounts, WatchOptions } from '../../api/services/watch.js';
import type { WatchRequest } from '../../api/watch.js';
import { deliverWhole, type FullStreams } from './deliver.js';
import type { WatchHubParts } from './hub-parts.js';
import { comparePlaces, type Place } from './history-window.js';
import { HistoryReader, type Laggards } from './history-reader.js';
import { Leaderless } from './leaderless.js';
import { PresentValues } from './present-values.js';
import { canceled, handleRequest, progressOf, type Watchers } from './watch-requests.js';
import { WatchPermits, type PermittedStreams } from './watch-permits.js';
import { Wakes } from './wakes.js';
import { WatchStream, type StreamOwner } from './watch-stream.js';
import type { Watcher, WatcherStream } from './watcher.js';
import { WatcherIndex } from './watcher-index.js';

export interface WatchHubOptions {
  readonly electionMs: number;
  /** How often a quiet watcher that asked for it is told how far it is. Default ten minutes. */
  readonly progressNotifyMs?: number;
  /** Of events that wait in one stream. Default 1 MiB. */
  readonly streamBytes?: number;
  /** Of history that is read in one part. Default 4 MiB. */
  readonly windowBytes?: number;
}

/** Of events that wait in one stream; less where all streams together hold much. */
const STREAM_BYTES = MiB;
const STREAM_BYTES_WHEN_CROWDED = 64 * KiB;
const ALL_STREAMS_BYTES = 64 * MiB;
const PROGRESS_NOTIFY_MS = 600_000;
/** Revisions that are told, or caught up with, before others have their turn. */
const TURN = 64;
const CATCH_UP_TURN = 512;

export class WatchHub implements StreamOwner, FullStreams, Laggards, Watchers, PermittedStreams {
  readonly parts: WatchHubParts;
  readonly permits: WatchPermits;
  readonly #options: WatchHubOptions;
  readonly streams = new Set<WatchStream>();
  readonly synced = new WatcherIndex();
  readonly lagging = new WatcherIndex();
  /** All up to here was told to those that are synced. */
  #told: Revision = 0;
  /** It is being told. */
  #telling: Revision = 0;
  /** Bytes that wait in all streams. */
  #waiting = 0;
  #rounds = 0;
  /** Nothing could be read for the moment: another version takes its place. */
  #stalled = false;
  /** Somebody that lags may go on. */
  #ready = false;
  readonly #pump: Coalesced;
  readonly #leaderless: Leaderless;
  readonly #history: HistoryReader;
  readonly #present: PresentValues;
  readonly #wakes = new Wakes();
  #notifyTimer: Timer | undefined;

  constructor(parts: WatchHubParts, options: WatchHubOptions) {
    this.parts = parts;
    this.permits = new WatchPermits(this);
    this.#leaderless = new Leaderless(this.streams, parts.leadership, parts.env.clock, options.electionMs);
    this.#options = options;
    const fail = (error: unknown): void => parts.life.fail(error);
    this.#pump = new Coalesced(() => this.#run(), fail);
    this.#history = new HistoryReader(this, options.windowBytes, fail);
    this.#present = new PresentValues(parts);
    parts.state.recent.subscribe(() => this.#pump.kick());
    parts.life.subscribe(() => {
      if (parts.life.ended) this.#stop();
    });
    parts.progress.applied.subscribe(() => {
      if (this.watchers > 0 && this.permits.stale) this.#pump.kick();
      if (!this.#stalled || !parts.reads.open) return;
      this.#stalled = false;
      this.catchUp();
    });
  }

  get watchers(): number {
    return this.synced.size + this.lagging.size;
  }

  get counts(): WatchCounts {
    return { streams: this.streams.size, watchers: this.watchers, slow: this.lagging.size };
  }

  open({ requireLeader = false, caller }: WatchOptions = {}): WatchStream {
    if (this.parts.life.ended) throw new EtcdError('STOPPED');
    const stream = new WatchStream(this, requireLeader, caller);
    this.streams.add(stream);
    if (requireLeader) this.#leaderless.watch();
    return stream;
  }

  async handle(stream: WatchStream, request: WatchRequest): Promise<void> {
    await this.parts.reads.serializable();
    if (!stream.closed) handleRequest(this, stream, request);
  }

  #stop(): void {
    this.#leaderless.stop();
    this.#notifyTimer?.cancel();
    for (const stream of [...this.streams]) stream.end(new EtcdError('STOPPED'));
  }

  closed(stream: WatchStream): void {
    this.streams.delete(stream);
    for (const watcher of [...stream.watchers.values()]) this.#end(watcher);
  }

  // Watchers.

  add(watcher: Watcher): void {
    const { recent } = this.parts.state;
    if (this.watchers === 0) {
      recent.keep(true);
      this.#told = recent.newest;
    }
    watcher.stream.watchers.set(watcher.id, watcher);
    if (watcher.place.revision > Math.max(this.#told, this.#telling)) this.synced.add(watcher);
    else {
      watcher.lagging = true;
      this.lagging.add(watcher);
      this.catchUp();
    }
    if (watcher.progressNotify) this.#notifyLater();
  }

  /** Nobody wants to hear more of it. */
  drop(watcher: Watcher): void {
    this.#end(watcher);
    this.#pump.kick();
  }

  /** It cannot go on: what waits of it is sent, and then why. */
  cancel(watcher: Watcher, reason: string, compactRevision = 0): void {
    this.#end(watcher);
    watcher.stream.answer(canceled(watcher.id, reason, compactRevision));
    this.#pump.kick();
  }

  #end(watcher: Watcher): void {
    watcher.ended = true;
    watcher.round = 0;
    watcher.stream.forget(watcher);
    this.synced.remove(watcher);
    this.lagging.remove(watcher);
    if (this.watchers === 0) this.parts.state.recent.keep(false);
  }

  /** What it wants from `place` on it will read later. */
  fallBehind(watcher: Watcher, place: Place): void {
    watcher.round = 0;
    if (comparePlaces(place, watcher.place) > 0) watcher.place = place;
    if (watcher.lagging) return;
    watcher.lagging = true;
    this.synced.remove(watcher);
    this.lagging.add(watcher);
  }

  /** It has read so far; if that is all, it is told of each revision from now on. */
  advance(watcher: Watcher, place: Place): void {
    assert(watcher.lagging && !watcher.ended, 'W1 who reads history lags behind');
    watcher.round = 0;
    if (comparePlaces(place, watcher.place) > 0) watcher.place = place;
    if (watcher.place.sub > 0 || watcher.place.revision <= Math.max(this.#told, this.#telling)) {
      this.#ready = true;
      return;
    }
    this.lagging.remove(watcher);
    watcher.lagging = false;
    this.synced.add(watcher);
  }

  nextRound(): number {
    return ++this.#rounds;
  }

  /** The recent revisions go on from its place. */
  isNear({ place, needsTree }: Watcher): boolean {
    if (needsTree) return false;
    return (place.sub === 0 && place.revision > this.#told) || this.parts.state.recent.at(place.revision)?.changes !== undefined;
  }

  toldTo(watcher: Watcher): Revision {
    return watcher.lagging || watcher.ended ? 0 : this.#told;
  }

  // Streams.

  get #streamBytes(): number {
    const most = this.#options.streamBytes ?? STREAM_BYTES;
    return this.#waiting > ALL_STREAMS_BYTES ? Math.min(most, STREAM_BYTES_WHEN_CROWDED) : most;
  }

  /** It takes no more for the moment, and says so when it does. */
  isFull(stream: WatcherStream): boolean {
    if (!stream.blocked && stream.queued < this.#streamBytes) return false;
    stream.blocked = true;
    return true;
  }

  counted(stream: WatchStream, bytes: number): void {
    this.#waiting += bytes;
    if (bytes >= 0 || !stream.blocked || stream.queued > this.#streamBytes / 2) return;
    stream.blocked = false;
    this.catchUp();
  }

  due(stream: WatchStream): void {
    this.#wakes.due(stream);
  }

  /** False: who wanted to is called again when it may. */
  mayRead(): boolean {
    this.#stalled ||= !this.parts.reads.open;
    return this.parts.reads.open;
  }

  catchUp(): void {
    this.#ready = true;
    this.#pump.kick();
  }

  // Telling.

  async #run(): Promise<void> {
    const { state, life } = this.parts;
    for (let busy = true; busy && !life.ended && this.watchers > 0 && this.mayRead();) {
      busy = false;
      const checking = this.permits.recheck();
      if (checking) await checking;
      for (let n = 0; n < TURN && this.#told < state.recent.newest && this.watchers > 0; n++) {
        this.#wakes.gather();
        await this.#tell(this.#told + 1);
        busy = true;
      }
      this.#wakes.release();
      if (this.#ready) {
        this.#ready = false;
        if (await this.#catchUpNear()) busy = this.#ready = true;
        this.#history.kick();
      }
      this.#answerProgress();
    }
  }

  async #tell(revision: Revision): Promise<void> {
    const { recent } = this.parts.state;
    const checking = this.permits.recheck();
    if (checking) await this.#wakes.before(checking);
    const found = recent.at(revision);
    if (found?.changes === undefined) {
      // Not in memory: who waits for it reads it from the tree.
      const to = found === undefined ? recent.first - 1 : revision;
      for (const watcher of [...this.synced]) if (watcher.place.revision <= to) this.fallBehind(watcher, { revision, sub: 0 });
      this.#told = to;
      this.#ready = true;
      return;
    }
    this.#telling = revision;
    for (;;) {
      try {
        const told = deliverWhole(this, found.changes, this.synced, 0, this.#present);
        for (const watcher of await this.#driven(told)) if (!watcher.ended) watcher.stream.complete(watcher, revision);
        break;
      } catch (error) {
        if (!(error instanceof KintsugiError)) throw error;
        for (const watcher of [...this.synced]) if (watcher.prevKv) this.#fromTree(watcher, revision);
      }
    }
    this.#told = Math.max(this.#told, revision);
    this.#telling = 0;
  }

  /** What it needs cannot be read at this moment: it waits for it, and nobody else. */
  #fromTree(watcher: Watcher, revision: Revision): void {
    this.fallBehind(watcher, { revision, sub: 0 });
    watcher.needsTree = true;
    this.#ready = true;
  }

  /** One turn of catching up from memory. False: there is nobody who can. */
  async #catchUpNear(): Promise<boolean> {
    const { recent } = this.parts.state;
    const round = this.nextRound();
    const members: Watcher[] = [];
    let revision = Infinity;
    for (const watcher of this.lagging) {
      if (watcher.round !== 0 || !this.isNear(watcher) || this.isFull(watcher.stream)) continue;
      watcher.round = round;
      members.push(watcher);
      revision = Math.min(revision, watcher.place.revision);
    }
    if (members.length === 0) return false;
    const inside = members.filter(({ place }) => place.sub > 0);
    for (let n = 0; n < CATCH_UP_TURN && revision <= this.#told; n++) {
      const changes = recent.at(revision)?.changes;
      if (changes === undefined) break;
      const checking = this.permits.recheck();
      if (checking) await checking;
      try {
        const told = deliverWhole(this, changes, this.lagging, round, this.#present);
        for (const watcher of await this.#driven(told)) if (!watcher.ended) watcher.stream.complete(watcher, revision);
        for (const watcher of inside) if (watcher.round === round) watcher.stream.complete(watcher, revision);
        revision++;
      } catch (error) {
        if (!(error instanceof KintsugiError)) throw error;
        for (const watcher of members) if (watcher.prevKv && watcher.round === round) this.#fromTree(watcher, revision);
      }
    }
    for (const watcher of members) if (watcher.round === round) this.advance(watcher, { revision, sub: 0 });
    return true;
  }

  async #driven<T>(work: Generator<void, T>): Promise<T> {
    const { workers } = this.parts.env;
    const driven = drive(work, workers);
    const result = driven instanceof Promise ? await this.#wakes.before(driven) : driven;
    const pause = workers.breathe();
    if (pause) await this.#wakes.before(pause);
    return result;
  }

  // Progress.

  #answerProgress(): void {
    for (const stream of this.streams) if (stream.progressWanted) this.#answerProgressOf(stream);
  }

  /** One answer, once all of the stream's watchers are told all up to it; with none, no answer. */
  #answerProgressOf(stream: WatchStream): void {
    for (const watcher of stream.watchers.values()) if (!this.#isTold(watcher)) return;
    stream.progressWanted = false;
    if (stream.watchers.size > 0) stream.answer(progressOf(undefined, this.#told));
  }

  progressWanted(stream: WatchStream): void {
    stream.progressWanted = stream.watchers.size > 0;
    if (this.#telling === 0) this.#answerProgressOf(stream);
    this.#pump.kick();
  }

  /** One that begins later has nothing to hear of a revision before that. */
  #isTold({ lagging, place }: Watcher): boolean {
    return !lagging && place.revision <= this.#told + 1;
  }

  #notifyLater(): void {
    this.#notifyTimer ??= this.parts.env.clock.setTimer(this.#options.progressNotifyMs ?? PROGRESS_NOTIFY_MS, () => {
      this.#notifyTimer = undefined;
      let any = false;
      for (const stream of this.streams) {
        for (const watcher of stream.watchers.values()) {
          if (!watcher.progressNotify) continue;
          any = true;
          const due = watcher.quiet && this.#telling === 0 && this.#isTold(watcher) && !this.isFull(stream);
          if (due) stream.answer(progressOf(watcher.id, this.#told));
          watcher.quiet = true;
        }
      }
      if (any) this.#notifyLater();
    });
  }
}
