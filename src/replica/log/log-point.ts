/** A place in the log: index and term together name one entry, and all before it (log matching). */

import type { LogIndex, Term } from '../../base/ids.js';

export interface LogPoint {
  readonly index: LogIndex;
  readonly term: Term;
}
