/**
 * The log of a member that does not take part yet, for others that ask. Its term may be raised at
 * any time: no leader counts on it.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { LogPoint } from '../log/log-point.js';
import type { Membership } from '../state/membership.js';
import type { PeerLog } from './peer-log.js';
import { raises, type Place, type Witness } from './says.js';

/** What is known of it so far. */
export type KnownLog = Pick<PeerLog, 'base' | 'place' | 'term' | 'read'>;

export interface OpeningLogParts {
  readonly membership: Pick<Membership, 'self' | 'standing'>;
  readonly hardState: HardStateStore;
  /** It was in a term when its files were opened: it is not a new one, nor one that was wiped. */
  readonly wasInTerm: boolean;
}

export class OpeningLog implements PeerLog {
  readonly #log: KnownLog;
  readonly #parts: OpeningLogParts;

  constructor(log: KnownLog, parts: OpeningLogParts) {
    this.#log = log;
    this.#parts = parts;
  }

  get base(): LogPoint {
    return this.#log.base;
  }

  place(index: LogIndex): Place {
    return this.#log.place(index);
  }

  term(index: LogIndex): Term {
    return this.#log.term(index);
  }

  read(index: LogIndex): Promise<Entry | undefined> {
    return this.#log.read(index);
  }

  witness(): Witness {
    const { membership, hardState, wasInTerm } = this.#parts;
    const standing = membership.standing(membership.self);
    return { term: hardState.current?.term ?? 0, votes: wasInTerm && standing !== 'learner' && standing !== 'none', leads: 0 };
  }

  async raise(bound: Term): Promise<void> {
    const { hardState } = this.#parts;
    if (!raises(bound, { term: hardState.current?.term ?? 0, hasLeader: false })) return;
    await hardState.update({ term: bound + 1 });
    assert((hardState.current?.term ?? 0) > bound, `R6 this member acknowledges nothing in term ${bound} any more`);
  }
}
