/**
 * Messages of etcd's Watch stream in our own words, as `requests.ts` has those of the other
 * services.
 */

import type { Revision } from '../base/ids.js';
import type { KeyValue } from './requests.js';

export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** Of a delete: only the key, and its revision as `modRevision`. */
  readonly kv: KeyValue;
  /** Only where it was asked for, there was one, and it is not compacted. */
  readonly prevKv: KeyValue | undefined;
}

/** The id that stands for no watcher: of a refusal, and of the answer to a progress request. */
export const NO_WATCH_ID = -1;

export interface WatchCreateRequest {
  /** Empty: from the first key on. */
  readonly key: Uint8Array;
  /** Empty: the single key; one zero byte: to the end of the space. */
  readonly rangeEnd: Uint8Array;
  /** 0: what comes from now on. */
  readonly startRevision: Revision;
  readonly progressNotify: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  /** 0: the stream gives one out. */
  readonly watchId: number;
  /** A message of 2 MiB and more may come in pieces, cut between events. */
  readonly fragment: boolean;
}

export type WatchRequest =
  | { readonly kind: 'create'; readonly create: WatchCreateRequest }
  | { readonly kind: 'cancel'; readonly watchId: number }
  | { readonly kind: 'progress' }
  | { readonly kind: 'nothing' };

export interface WatchResponse {
  /** For the header: all events of the watcher up to it are in this message or were sent before. */
  readonly revision: Revision;
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Not 0: the watcher was ended because it wants what is compacted up to here. */
  readonly compactRevision: Revision;
  readonly cancelReason: string;
  /** More of the same revision follows in the next message of this watcher. */
  readonly fragment: boolean;
  readonly events: readonly WatchEvent[];
}
