/**
 * The changes of keys as one asker hears them: a watch of the member itself, since the asker was
 * let in before, and is asked for the permission again before anything is told (`asker.ts`).
 */

import { Code } from '../../grpc/code.js';
import { CANCELLED, RpcError } from '../../grpc/status.js';
import { EMPTY } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import type { WatchSession } from '../../api/services/watch.js';
import type { WatchEvent } from '../../api/watch.js';
import type { Store } from '../../node/store.js';

export interface Watched {
  readonly key: Uint8Array;
  /** Default: the single key. */
  readonly rangeEnd?: Uint8Array;
  /** The first revision that may be told. */
  readonly from: Revision;
  /** Default: puts and deletes. */
  readonly only?: 'puts' | 'deletes';
}

export interface Change {
  /** All up to it is told. */
  readonly revision: Revision;
  readonly events: readonly WatchEvent[];
}

export interface ListenOptions {
  readonly signal: AbortSignal;
  /** Ends with NO_LEADER once the member has known no leader for a while. Default false. */
  readonly requireLeader?: boolean;
}

/**
 * What becomes of the keys, until the consumer leaves. Ends by itself when what it would have to
 * tell next is compacted: then one looks again. Throws RpcError CANCELLED on the signal, and
 * EtcdError.
 */
export async function* changesOf(store: Store, keys: readonly Watched[], options: ListenOptions): AsyncGenerator<Change, void, undefined> {
  const { signal, requireLeader = false } = options;
  const refuse = (): never => {
    throw new RpcError(CANCELLED.code, CANCELLED.details);
  };
  if (signal.aborted) refuse();
  const session = store.watch({ requireLeader });
  const close = (): void => session.close();
  signal.addEventListener('abort', close);
  try {
    for (const key of keys) await create(session, key);
    for (;;) {
      const answer = await session.next();
      if (answer === undefined) return refuse();
      const { revision, events, canceled, compactRevision, cancelReason } = answer;
      if (canceled && compactRevision > 0) return;
      if (canceled) throw new RpcError(Code.RESOURCE_EXHAUSTED, cancelReason);
      if (events.length > 0) yield { revision, events };
    }
  } finally {
    signal.removeEventListener('abort', close);
    session.close();
  }
}

function create(session: WatchSession, { key, rangeEnd = EMPTY, from, only }: Watched): Promise<void> {
  return session.handle({
    kind: 'create',
    create: {
      key, rangeEnd, startRevision: from, progressNotify: false, noPut: only === 'deletes', noDelete: only === 'puts', prevKv: false,
      watchId: 0, fragment: false,
    },
  });
}
