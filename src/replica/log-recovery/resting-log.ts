/**
 * The log of a member that cannot know what it has promised, and takes part no more under the id
 * that it has there: it is only read. What is in it is given to others, because its bytes may be
 * the only copy (D1). R5 R6 What is not in it proves nothing: this member never says that it lacks
 * an entry, and has no term to raise.
 */

import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import type { DamagedLog } from '../log/damaged-log.js';
import type { LogPoint } from '../log/log-point.js';
import { MendingLog } from './mending-log.js';
import type { PeerLog } from './peer-log.js';
import type { Place, Witness } from './says.js';

const NO_WITNESS: Witness = { term: 0, votes: false, leads: 0 };

export class RestingLog implements PeerLog {
  readonly #log: MendingLog;

  constructor(log: DamagedLog) {
    this.#log = new MendingLog(log);
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
    return NO_WITNESS;
  }

  raise(): Promise<void> {
    return Promise.resolve();
  }
}
