/** What a stream's requests do, and how its answers look that are not events: as etcd has them. */

import type { Revision } from '../../base/ids.js';
import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import { compareBytes } from '../../base/bytes.js';
import { unreachable } from '../../base/assert.js';
import { NO_WATCH_ID, type WatchCreateRequest, type WatchRequest, type WatchResponse } from '../../api/watch.js';
import type { WatchHubParts } from './hub-parts.js';
import type { WatchPermits } from './watch-permits.js';
import type { WatchStream } from './watch-stream.js';
import { Watcher } from './watcher.js';

/** All of a member's. */
export interface Watchers {
  readonly parts: WatchHubParts;
  readonly permits: WatchPermits;
  /** How many there are. */
  readonly watchers: number;
  add(watcher: Watcher): void;
  /** Nobody wants to hear more of it. */
  drop(watcher: Watcher): void;
  progressWanted(stream: WatchStream): void;
}

/** On one member. */
export const WATCHERS_MAX = 100_000;

const PLAIN: WatchResponse = {
  revision: 0, watchId: 0, created: false, canceled: false, compactRevision: 0, cancelReason: '', fragment: false, events: [],
};

/** `compactRevision` above 0: what it wants is compacted up to there. */
export function canceled(watchId: number, cancelReason: string, compactRevision: Revision): WatchResponse {
  return { ...PLAIN, watchId, canceled: true, cancelReason, compactRevision };
}

/** Of one watcher, or of all of the stream. */
export function progressOf(watchId: number | undefined, revision: Revision): WatchResponse {
  return { ...PLAIN, watchId: watchId ?? NO_WATCH_ID, revision };
}

export function handleRequest(hub: Watchers, stream: WatchStream, request: WatchRequest): void {
  switch (request.kind) {
    case 'create': return create(hub, stream, request.create);
    case 'cancel': return cancel(hub, stream, request.watchId);
    case 'progress': return hub.progressWanted(stream);
    case 'nothing': return;
    default: return unreachable(request);
  }
}

function create(hub: Watchers, stream: WatchStream, request: WatchCreateRequest): void {
  const { kv, recent } = hub.parts.state;
  const revision = recent.newest;
  const refusal = refusalOf(hub, stream, request);
  if (refusal !== undefined) {
    stream.answer({ ...PLAIN, revision, watchId: NO_WATCH_ID, created: true, canceled: true, cancelReason: refusal });
    return;
  }
  const watchId = request.watchId === 0 ? stream.freeId() : request.watchId;
  stream.answer({ ...PLAIN, revision, watchId, created: true });
  const { startRevision } = request;
  if (startRevision > 0 && startRevision < kv.compactRevision) {
    stream.answer(canceled(watchId, '', kv.compactRevision));
    return;
  }
  hub.add(new Watcher(stream, watchId, request, { revision: startRevision === 0 ? revision + 1 : startRevision, sub: 0 }));
}

function refusalOf(hub: Watchers, stream: WatchStream, { key, rangeEnd, startRevision, watchId }: WatchCreateRequest): string | undefined {
  const forbidden = hub.permits.refusal(stream, key, rangeEnd);
  if (forbidden !== undefined) return forbidden;
  const toEnd = rangeEnd.length === 1 && rangeEnd[0] === 0;
  if (rangeEnd.length > 0 && !toEnd && compareBytes(rangeEnd, key) <= 0) return 'mvcc: watcher range is empty';
  if (watchId !== 0 && stream.watchers.has(watchId)) return 'mvcc: duplicate watch ID provided on the WatchStream';
  if (startRevision < 0) return ETCD_MESSAGES.COMPACTED;
  if (hub.watchers >= WATCHERS_MAX) return `kintsugi: this member has ${WATCHERS_MAX} watchers, and takes no more: watch through another one`;
  return undefined;
}

/** One that is not known gets no answer. */
function cancel(hub: Watchers, stream: WatchStream, watchId: number): void {
  const watcher = stream.watchers.get(watchId);
  if (watcher === undefined) return;
  hub.drop(watcher);
  stream.answer({ ...canceled(watchId, '', 0), revision: hub.parts.state.recent.newest });
}
