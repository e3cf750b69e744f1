/** A leader shows that this member's files are older than its promises (R5). */

import { formatId, type LogIndex } from '../../base/ids.js';
import type { Message } from '../../raft/types.js';
import { ReplicaError } from '../base/errors.js';

export function rolledBack({ from, commit, term }: Message, last: LogIndex): ReplicaError {
  return new ReplicaError(
    'ROLLED_BACK',
    `member ${formatId(from)}, the leader of term ${term}, has been told by this member that entry ${commit} is durable, but the log ends at ${last}: ` +
      'the data directory is an older copy, and what was promised since is missing. Put the newest data directory back; ' +
      'if it is lost: kintsugi recover --data-dir DIR, and start it again: it is re-admitted as a new member in its place',
  );
}
