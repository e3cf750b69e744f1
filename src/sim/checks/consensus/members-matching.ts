/**
 * S2: the members are the same on every node after the same entry, and R1: an id that was removed
 * never comes back. So there is one truth about who is a member, which this keeps: the newest that
 * any node has applied.
 */

import { ByteWriter } from '../../../base/bytes.js';
import { digest128 } from '../../../base/digest.js';
import type { Digest128, LogIndex, NodeId } from '../../../base/ids.js';
import type { Replica } from '../../../replica/replica.js';
import type { Members } from '../../../replica/state/members.js';
import { writeMembers } from '../../../replica/state/members-codec.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

interface Known {
  readonly index: LogIndex;
  readonly bytes: Digest128;
  readonly voters: string;
  readonly node: NodeId;
}

export class MembersMatching {
  readonly #reporter: Reporter;
  /** Ascending: after which entry who was first seen to have which members. */
  readonly #known: Known[] = [];
  readonly #removed = new Set<NodeId>();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** Listens to what this replica's log leads to, from now on. */
  watch(node: WatchedNode, { membership }: Pick<Replica, 'membership'>): void {
    membership.subscribe((index) => this.applied(node, index, membership.applied));
  }

  /** Some node has applied its removal. */
  isRemoved(member: NodeId): boolean {
    return this.#removed.has(member);
  }

  /** The state as of `index` has these members. */
  applied({ id }: Pick<WatchedNode, 'id'>, index: LogIndex, members: Members): void {
    if (members.isStatic) return;
    const back = members.list.find((member) => this.#removed.has(member.id));
    const bytes = digest128(writeMembers(new ByteWriter(256), members).finish());
    const at = this.#known.findLastIndex((known) => known.index <= index);
    const before = this.#known[at];
    if (before?.bytes === bytes) return;
    if (before?.index === index || at < this.#known.length - 1) {
      this.#reporter.broken('equal members at equal applied index', id,
        `S2 after entry ${index} node ${id} has ${votersOf(members)}; node ${before?.node ?? 0} had ${before?.voters ?? 'none'} after ${before?.index ?? 0}`);
      return;
    }
    if (back !== undefined) this.#reporter.broken('removed ids stay removed', id, `R1 after entry ${index} node ${id} has member ${back.id}, which was removed before`);
    this.#known.push({ index, bytes, voters: votersOf(members), node: id });
    for (const gone of members.removed) if (!members.list.some((member) => member.id === gone)) this.#removed.add(gone);
  }
}

function votersOf({ list, confState }: Members): string {
  const { voters, votersOutgoing, learners } = confState;
  return `members ${list.map(({ id }) => id).join(' ')} with voters ${voters.join(' ')}, outgoing ${votersOutgoing.join(' ')}, learners ${learners.join(' ')}`;
}
