/** Heads of raft messages that a test makes up. */

import type { MessageHead } from '../consensus/raft-frames.js';

/** With all else 0, unless `rest` says so. */
export function message(type: number, from: number, to: number, term: number, rest: Partial<MessageHead> = {}): MessageHead {
  return { type, from, to, term, logTerm: 0, index: 0, commit: 0, reject: false, entries: 0, treeOps: false, round: 0, ...rest };
}
