/**
 * S2: the members are the same on every node after the same entry, and R1: an id that was removed
 * never comes back. So there is one truth about who is a member, which this keeps: the newest that
 * any node has applied.
 */

import type { LogIndex, NodeId } from '../../../base/ids.js';
import type { Replica } from '../../../replica/replica.js';
import type { Members } from '../../../replica/state/members.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

interface Known {
  readonly index: LogIndex;
  readonly text: string;
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
    const text = JSON.stringify(members);
    const at = this.#known.findLastIndex((known) => known.index <= index);
    const before = this.#known[at];
    if (before?.text === text) return;
    if (before?.index === index || at < this.#known.length - 1) {
      this.#reporter.broken('equal members at equal applied index', id,
        `S2 after entry ${index} node ${id} has the members ${text}; node ${before?.node ?? 0} had ${before?.text ?? 'none'} as of ${before?.index ?? 0}`);
      return;
    }
    if (back !== undefined) this.#reporter.broken('removed ids stay removed', id, `R1 after entry ${index} node ${id} has member ${back.id}, which was removed before`);
    this.#known.push({ index, text, node: id });
    for (const gone of members.removed) if (!members.list.some((member) => member.id === gone)) this.#removed.add(gone);
  }
}
