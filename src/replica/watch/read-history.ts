/** The next part of history of a range of keys, from a pinned view: in slices. */

import { assert } from '../../base/assert.js';
import type { Revision } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import { VersionSlot } from '../../storage/base/version-slot.js';
import type { TreeView } from '../../storage/tree/tree-view.js';
import type { KeyValue } from '../../api/requests.js';
import type { StoreState } from '../kv/range.js';
import { Pace } from '../kv/pace.js';
import { decodeKeyValue } from '../kv/value-record.js';
import { ChangeBuffer } from './change-buffer.js';
import { HistoryWindow, OrderedChanges, WINDOW_BYTES, type HistoryPart, type Place, type WindowRoom } from './history-window.js';
import { PlaceOrder } from './place-order.js';

/**
 * All changes of keys in [key, to) from `from` on, as many as fit; `state` is the view's. Nothing
 * is there yet: from.revision > state.revision. Throws EtcdError COMPACTED, and what the view
 * throws (StorageError): nothing was given then.
 */
export function* readHistory(
  view: TreeView, state: StoreState, range: { readonly key: Uint8Array; readonly to: Uint8Array | undefined }, from: Place,
  bytesMax = WINDOW_BYTES, room?: WindowRoom,
): Generator<void, HistoryPart> {
  const { revision, compactRevision } = state;
  if (from.revision < compactRevision) throw new EtcdError('COMPACTED');
  if (from.revision > revision) return { changes: new OrderedChanges(new ChangeBuffer(), new PlaceOrder(), 0), end: from };
  const window = new HistoryWindow(from, revision, bytesMax, room);
  const pace = new Pace();
  for (const _ of view.history(range.key, range.to, window)) {
    if (window.overfull) yield* window.trim(pace);
    yield;
  }
  return yield* window.take(pace);
}

const found = new VersionSlot();

/**
 * The version of `key` before `revision`; false if it had none. As in etcd, there is none where it
 * may be collected already. Throws StorageError.
 */
export function findPrevious(
  view: Pick<TreeView, 'find'>, key: Uint8Array, revision: Revision, { compactRevision }: Pick<StoreState, 'compactRevision'>,
  into: VersionSlot,
): boolean {
  assert(revision > 0, 'W1 a change has a revision');
  return revision - 1 >= compactRevision && view.find(USER_SPACE, key, revision - 1, into) && !into.tombstone;
}

/** As {@link findPrevious}, decoded. */
export function previousValue(
  view: Pick<TreeView, 'find'>, key: Uint8Array, revision: Revision, state: Pick<StoreState, 'compactRevision'>,
): KeyValue | undefined {
  if (!findPrevious(view, key, revision, state, found)) return undefined;
  return decodeKeyValue(key, found.revision, found.valueBytes.subarray(found.valueAt, found.valueEnd));
}
