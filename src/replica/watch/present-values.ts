/** What keys were before a revision, as the state is at this moment. */

import { EtcdError } from '../../api/etcd-error.js';
import type { KeyValue } from '../../api/requests.js';
import type { Revision } from '../../base/ids.js';
import type { PreviousValues } from './deliver.js';
import type { WatchHubParts } from './hub-parts.js';
import { previousValue } from './read-history.js';

export class PresentValues implements PreviousValues {
  readonly #parts: WatchHubParts;

  constructor(parts: WatchHubParts) {
    this.#parts = parts;
  }

  read(key: Uint8Array, revision: Revision): KeyValue | undefined {
    const { reads, tree, state } = this.#parts;
    if (!reads.open) throw new EtcdError('TIMEOUT_WAIT_APPLIED');
    return previousValue(tree.current, key, revision, state.kv.state());
  }
}
