/**
 * A watch that outlives the member that it asks: whatever ends its call for a while, it goes on at
 * another endpoint, after the last change that it gave out. So each change comes once, in order.
 * It holds no more than a few messages: what is not taken waits in the store.
 *
 * A revision may have more changes than go into one message (one delete of many keys). It comes in
 * pieces then, and a watch that is cut off within it goes on within it: the changes of a revision
 * have an order, and how many were given out is known.
 */

import type { ResponseHeader } from '../api/requests.js';
import { WATCH_PATH } from '../api/services/watch.js';
import type { WatchCreateRequest, WatchEvent } from '../api/watch.js';
import { decodeWatchResponse, encodeWatchRequest, type WatchAnswer } from '../api/wire/watch-client-codec.js';
import { CodecError } from '../base/errors.js';
import type { Caller, CallOptions } from './caller.js';
import type { CallLimits, Connection, DuplexCall } from './connection.js';
import { badArgument, ClientError, CompactedError, codeOfStatusName } from './errors.js';
import { isRefusedToken } from './login.js';
import { boundsOf, whole, type Bytes, type KeyRange } from './requests.js';

export interface WatchOptions {
  /** All changes from this revision on, itself included; 0: those that are made from now on. */
  readonly startRevision?: number;
  /** Events tell what the key was before. */
  readonly prevKv?: boolean;
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
  /** A quiet watch is told from time to time how far it is: a batch without events. */
  readonly progressNotify?: boolean;
  /**
   * A member that knows no leader ends the watch, so that it goes on at another one. Default true.
   */
  readonly requireLeader?: boolean;
  /** Watches through this endpoint and no other. */
  readonly endpoint?: string;
  /** Ends the watch with CANCELLED. */
  readonly signal?: AbortSignal;
}

/** Changes of one revision, or none: then all up to `revision` was told. */
export interface WatchBatch {
  /** Of the answer that it came with. */
  readonly header: ResponseHeader;
  readonly revision: number;
  readonly events: readonly WatchEvent[];
  /** The revision has more changes, which come in the next batch. */
  readonly more: boolean;
}

export class Watch implements AsyncIterable<WatchBatch>, AsyncDisposable {
  readonly #caller: Caller;
  readonly #request: Omit<WatchCreateRequest, 'startRevision'>;
  readonly #options: CallOptions;
  readonly #requireLeader: boolean;
  readonly #signal: AbortSignal;
  readonly #closing = new AbortController();
  /** All changes before it were given out, and `#given` of its own. 0: what comes from now on. */
  #next: number;
  #given = 0;
  /** Of its changes so many come again, because the call is another one. */
  #known = 0;
  #begun = false;
  #taken = false;
  #call: DuplexCall | undefined;

  constructor(caller: Caller, range: KeyRange | Bytes, options: WatchOptions) {
    const { startRevision, prevKv = false, noPut = false, noDelete = false, progressNotify = false } = options;
    const { requireLeader = true, endpoint, signal } = options;
    this.#caller = caller;
    this.#next = whole(startRevision, 'startRevision');
    if (this.#next < 0) throw badArgument(`startRevision is a revision, or 0 for what comes from now on, got ${this.#next}`);
    this.#request = { ...boundsOf(range), prevKv, noPut, noDelete, progressNotify, watchId: 0, fragment: true };
    this.#requireLeader = requireLeader;
    const ends = [this.#closing.signal, caller.through.closing];
    this.#signal = AbortSignal.any(signal === undefined ? ends : [...ends, signal]);
    this.#options = { signal: this.#signal, timeoutMs: Infinity, ...(endpoint === undefined ? {} : { endpoint }) };
  }

  /**
   * Asks how far the watch is: a batch without events comes when all up to its revision was told.
   * Nothing if there is no connection at the moment.
   */
  requestProgress(): void {
    this.#call?.write(encodeWatchRequest({ kind: 'progress' }));
  }

  /** Ends the iteration, or keeps it from beginning. */
  close(): void {
    this.#closing.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /**
   * The first batch has no events and comes as soon as the watch has begun: all changes after its
   * revision will be told. Ends the watch when the consumer stops. Rejects with ClientError: as
   * CompactedError where changes that it has yet to tell are gone, with CANCELLED at the end of the
   * signal or the client, UNAVAILABLE if it could not begin at all, and with what the cluster
   * refuses it for. Once it has begun it goes on trying.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<WatchBatch, void, undefined> {
    if (this.#taken) throw badArgument('a watch is iterated over once: begin another one');
    this.#taken = true;
    const { through } = this.#caller;
    let failed: Connection | undefined;
    let refused: CallLimits | undefined;
    for (let attempt = 1; ; attempt++) {
      const endpoint = through.pick(this.#options.endpoint, failed);
      let limits: CallLimits | undefined;
      try {
        limits = await this.#caller.limits(this.#options, refused);
        for await (const answer of this.#answers(endpoint, limits)) {
          if (!answer.canceled) refused = undefined;
          if (!answer.created) attempt = 0;
          yield* this.#batches(answer, endpoint);
        }
        throw new ClientError('UNAVAILABLE', { details: 'the member has ended the watch', endpoint: endpoint.name });
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (this.#closing.signal.aborted) return;
        if (refused === undefined && isRefusedToken(error, limits?.token)) {
          refused = limits;
          continue;
        }
        if (!isPassing(error) || (!this.#begun && attempt >= through.maxAttempts)) throw error;
      }
      failed = endpoint;
      await through.backOff(attempt, this.#options);
    }
  }

  async *#answers(endpoint: Connection, limits: CallLimits): AsyncGenerator<WatchAnswer, void, undefined> {
    const call = await endpoint.duplex(WATCH_PATH, limits, this.#requireLeader);
    const create = { ...this.#request, startRevision: this.#next };
    call.write(encodeWatchRequest({ kind: 'create', create }));
    this.#known = this.#given;
    this.#call = call;
    try {
      for await (const bytes of call.messages()) yield answerOf(bytes);
    } finally {
      this.#call = undefined;
    }
  }

  *#batches(answer: WatchAnswer, endpoint: Connection): Generator<WatchBatch, void> {
    if (answer.canceled) throw endOf(answer, endpoint.name);
    if (answer.created) {
      if (this.#begun) return;
      this.#begun = true;
      if (this.#next === 0) this.#next = answer.revision + 1;
      yield { header: answer.header, revision: this.#next - 1, events: [], more: false };
    } else if (answer.events.length > 0) yield* this.#changes(answer);
    else {
      if (answer.revision >= this.#next) this.#upTo(answer.revision);
      yield { header: answer.header, revision: this.#next - 1, events: [], more: false };
    }
  }

  *#changes({ header, events, fragment }: WatchAnswer): Generator<WatchBatch, void> {
    for (let at = 0; at < events.length;) {
      const revision = revisionOf(events, at);
      let end = at + 1;
      while (end < events.length && revisionOf(events, end) === revision) end++;
      const changes = events.slice(at, end);
      at = end;
      if (revision < this.#next) continue;
      if (revision > this.#next) this.#upTo(revision - 1);
      const again = Math.min(this.#known, changes.length);
      this.#known -= again;
      this.#given += changes.length - again;
      const more = fragment && at === events.length;
      if (!more) this.#upTo(revision);
      if (!more || again < changes.length) yield { header, revision, events: changes.slice(again), more };
    }
  }

  #upTo(revision: number): void {
    this.#next = revision + 1;
    this.#given = 0;
    this.#known = 0;
  }
}

/** The same, change by change. */
export async function* watchEvents(watch: Watch): AsyncGenerator<WatchEvent, void, undefined> {
  for await (const { events } of watch) yield* events;
}

/**
 * Elsewhere, or later, it may go on. INTERNAL is how a call ends that was cut off below gRPC, and
 * the watch has no deadline: what was late is its token.
 */
function isPassing(error: ClientError): boolean {
  return error.transient || error.code === 'DEADLINE_EXCEEDED' || (error.code === 'INTERNAL' && error.endpoint !== undefined);
}

function revisionOf(events: readonly WatchEvent[], at: number): number {
  return (events[at] as WatchEvent).kv.modRevision;
}

/** Why the cluster has ended it: gRPC's words within the answer, or its own. */
function endOf({ compactRevision, cancelReason }: WatchAnswer, endpoint: string): ClientError {
  if (compactRevision > 0) return new CompactedError(compactRevision, endpoint);
  const [, name, details] = /^rpc error: code = (\w+) desc = (.*)$/s.exec(cancelReason) ?? [];
  if (name !== undefined && details !== undefined) return new ClientError(codeOfStatusName(name), { details, endpoint });
  return new ClientError('UNKNOWN', { details: cancelReason === '' ? 'the watch was ended, without a reason' : cancelReason, endpoint });
}

function answerOf(bytes: Uint8Array): WatchAnswer {
  try {
    return decodeWatchResponse(bytes);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new ClientError('INTERNAL', { details: `the answer does not parse: ${error.message}`, cause: error });
  }
}
