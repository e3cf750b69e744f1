/**
 * Each life of a member announces itself once through the log: an empty transaction, which changes
 * no key and no revision, leaves its incarnation among the applied ids of every replica. It is what
 * the others remember of a member whose files are gone (see start-check). So it waits until the
 * term in which it is made is in those files (R2).
 */

import { assert } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import { MEMBER, NOBODY } from '../auth/principal.js';
import type { Proposals } from '../consensus/proposals.js';
import type { KvCommand } from '../kv/command.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { ReplicatedState } from '../kv/replicated-state.js';

const NOTHING: KvCommand = { kind: 'txn', request: { compare: [], success: [], failure: [] } };

export interface AnnouncementParts {
  readonly self: NodeId;
  /** Of this life. */
  readonly incarnation: number;
  readonly state: ReplicatedState;
  readonly hardState: Pick<HardStateStore, 'current'>;
  readonly proposals: Pick<Proposals, 'propose'>;
}

export class Announcement {
  readonly #parts: AnnouncementParts;
  #state: 'due' | 'proposed' = 'due';

  constructor(parts: AnnouncementParts) {
    assert(parts.incarnation > 0, `R5 a life that announces itself has a number, not ${parts.incarnation}`);
    this.#parts = parts;
  }

  /** Called now and then while there is a leader. A proposal that failed is made again. */
  tick(): void {
    const { self, incarnation, state, hardState, proposals } = this.#parts;
    if ((hardState.current?.term ?? 0) === 0) return;
    if (this.#state === 'proposed' || state.kv.incarnationOf(self) >= incarnation) return;
    this.#state = 'proposed';
    const again = (): void => void (this.#state = 'due');
    proposals.propose(NOTHING, state.auth.enabled ? MEMBER : NOBODY).then(again, again);
  }
}
