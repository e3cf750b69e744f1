/**
 * Whether watchers may still read what they watch. A permission is asked for when a watcher begins,
 * and again of all watchers whenever the auth state has changed: nobody hears of a change that was
 * made after the permission to read it was taken back. What was queued before was theirs.
 */

import { EtcdError, type EtcdErrorCode } from '../../api/etcd-error.js';
import { unreachable } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import { Deferred } from '../../base/deferred.js';
import { drive } from '../../base/drive.js';
import type { Caller } from '../../api/caller.js';
import type { Access, Admission } from '../auth/access.js';
import { Pace } from '../kv/pace.js';
import type { WatchHubParts } from './hub-parts.js';
import type { Watcher } from './watcher.js';

/** Of the streams: who opened each, and as whom it was let in. */
export interface PermittedStream {
  readonly caller: Caller | undefined;
  admission: Admission | undefined;
  readonly watchers: ReadonlyMap<number, Watcher>;
}

/** All of a member's. */
export interface PermittedStreams {
  readonly parts: WatchHubParts;
  readonly streams: Iterable<PermittedStream>;
  cancel(watcher: Watcher, reason: string): void;
}

/** How etcd says so in a watch's answer: a client goes by the whole text. */
const STATUS = {
  USER_EMPTY: 'InvalidArgument',
  AUTH_OLD_REVISION: 'InvalidArgument',
  INVALID_AUTH_TOKEN: 'Unauthenticated',
  PERMISSION_DENIED: 'PermissionDenied',
} as const;

function statusOf(code: EtcdErrorCode): string {
  return code in STATUS ? STATUS[code as keyof typeof STATUS] : unreachable(code as never);
}

/** Throws what is no refusal. */
function reasonOf(error: unknown): string {
  if (!(error instanceof EtcdError)) throw error;
  return `rpc error: code = ${statusOf(error.code)} desc = ${error.wireMessage}`;
}

export class WatchPermits {
  readonly #hub: PermittedStreams;
  readonly #access: Access;
  /** All watchers that there are may read as of then. */
  #checked: string;
  /** Resolved when there is a state again to check with. */
  #opened: Deferred | undefined;

  constructor(hub: PermittedStreams) {
    this.#hub = hub;
    this.#access = hub.parts.state.access;
    this.#checked = this.#access.epoch;
    const { life, progress } = hub.parts;
    progress.applied.subscribe(() => this.#wake());
    life.subscribe(() => this.#wake());
  }

  /**
   * Before anything is told of a revision: whoever may not read it any more, as of the entries
   * before it, is not told. While another version takes the state's place, auth is as of an earlier
   * entry: then it waits. Undefined: nothing has changed.
   */
  recheck(): Promise<void> | undefined {
    return this.stale || !this.#hub.parts.reads.open ? this.#recheck() : undefined;
  }

  async #recheck(): Promise<void> {
    const { reads, life, env } = this.#hub.parts;
    for (let done = false; !done && !life.ended;) {
      if (reads.open) done = await drive(this.check(), env.workers);
      else await (this.#opened ??= new Deferred()).promise;
    }
  }

  #wake(): void {
    const { reads, life } = this.#hub.parts;
    if (this.#opened === undefined || (!reads.open && !life.ended)) return;
    this.#opened.resolve();
    this.#opened = undefined;
  }

  /** What was allowed to watchers may not be any more. */
  get stale(): boolean {
    return this.#access.epoch !== this.#checked;
  }

  /**
   * Why a new watcher of the range is refused; undefined: it is let in. All that it would hear of
   * must be the caller's to read.
   */
  refusal(stream: PermittedStream, key: Uint8Array, rangeEnd: Uint8Array): string | undefined {
    try {
      this.#access.permit(stream.caller)?.read({ key: key.length === 0 ? Uint8Array.of(0) : key, rangeEnd });
      stream.admission = this.#access.admit(stream.caller);
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  /**
   * Ends who may not go on. In slices: what was changed before it began counts, for what is changed
   * meanwhile it is stale again. False: the state has gone back meanwhile, and it must begin anew.
   */
  *check(): Generator<void, boolean> {
    const { epoch } = this.#access;
    const pace = new Pace();
    for (const stream of this.#hub.streams) {
      for (const watcher of stream.watchers.values()) {
        const reason = this.#refused(stream, watcher);
        if (reason !== undefined) this.#hub.cancel(watcher, reason);
        if (!pace.step()) continue;
        yield;
        if (!this.#hub.parts.reads.open) return false;
      }
    }
    this.#checked = epoch;
    return true;
  }

  #refused(stream: PermittedStream, { key, keyEnd, single }: Watcher): string | undefined {
    try {
      const permit = this.#access.permitAdmitted(stream.caller, stream.admission);
      stream.admission ??= this.#access.admit(stream.caller);
      permit?.read({ key, rangeEnd: single ? EMPTY : (keyEnd ?? Uint8Array.of(0)) });
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }
}
