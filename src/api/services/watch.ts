/**
 * etcd's Watch service: one stream, many watchers. A store offers it as a session, which is asked
 * for one answer after the other: nothing is pushed, so that who is slow holds nothing but a bound.
 */

import type { Caller } from '../caller.js';
import type { WatchRequest, WatchResponse } from '../watch.js';

export const WATCH_PATH = '/etcdserverpb.Watch/Watch';

/** One stream of a store, with its watchers. */
export interface WatchSession {
  /** Resolves when the next request may be given. Rejects with EtcdError. */
  handle(request: WatchRequest): Promise<void>;
  /** The next answer; undefined once the session is closed. Rejects with EtcdError. */
  next(): Promise<WatchResponse | undefined>;
  /** The same, if it waits already; undefined: it does not. Throws EtcdError. */
  take(): WatchResponse | undefined;
  close(): void;
}

export interface WatchOptions {
  /** The session ends with NO_LEADER when the member has known no leader for a while. */
  readonly requireLeader?: boolean;
  /** What it may not read it may not watch. Undefined: the member itself asks. */
  readonly caller?: Caller | undefined;
}

/** Of one member, at this moment. */
export interface WatchCounts {
  readonly streams: number;
  readonly watchers: number;
  /** Of the watchers: those that have yet to read of what has happened. */
  readonly slow: number;
}

export const NO_WATCHES: WatchCounts = { streams: 0, watchers: 0, slow: 0 };

/** What answers the service. */
export interface WatchApi {
  /** Throws EtcdError. Whoever opens a session closes it. */
  watch(options?: WatchOptions): WatchSession;
}
