/**
 * S1, C1: the version of the cluster is raised by one entry of the log, after which it is the same
 * on every node, and only to what the program of each member has known in some life: whoever cannot
 * read what is written then was taken back to an older program, by an operator. It never falls,
 * because no operator of the simulator lowers it.
 */

import type { ClusterVersion, LogIndex, NodeId } from '../../../base/ids.js';
import type { Replica } from '../../../replica/replica.js';
import type { WatchedNode } from '../../cluster/watched-node.js';
import type { Reporter } from '../base/reporter.js';

interface Raised {
  readonly index: LogIndex;
  readonly version: ClusterVersion;
  readonly node: NodeId;
}

type Seen = Pick<Replica, 'state' | 'membership'>;

export class ClusterVersions {
  readonly #reporter: Reporter;
  /** What the programs of a member have known, at most. */
  readonly #known = new Map<NodeId, ClusterVersion>();
  /** Ascending, both. */
  readonly #raised: Raised[] = [];
  /** What the life of a node had after the entry that it applied last. */
  readonly #last = new Map<NodeId, { readonly replica: Seen; index: LogIndex; version: ClusterVersion }>();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** A life begins. */
  watch({ id, member }: Pick<WatchedNode, 'id' | 'member'>, replica: Seen): void {
    const { newest, version } = replica.state;
    this.#known.set(member, Math.max(this.#known.get(member) ?? 0, newest));
    this.#last.set(id, { replica, index: 0, version });
  }

  /** The node has just applied that entry. */
  applied({ id }: Pick<WatchedNode, 'id'>, replica: Seen, index: LogIndex): void {
    const last = this.#last.get(id);
    if (last?.replica !== replica) return;
    const { version } = replica.state;
    const isNext = index === last.index + 1;
    const had = last.version;
    last.index = index;
    last.version = version;
    if (version === had) return;
    if (version < had) {
      this.#reporter.broken('the version of the cluster never falls', id, `S1 entry ${index} took node ${id} from version ${had} to ${version}`);
      return;
    }
    // What came with a snapshot, or before this life was watched, some node has applied.
    if (!isNext && this.#raised.some((raised) => raised.version === version && raised.index <= index)) return;
    const other = this.#raised.find((raised) => raised.version === version || raised.index === index);
    if (other !== undefined) {
      if (other.version === version && other.index === index) return;
      this.#reporter.broken('one entry raises the version of the cluster', id,
        `S1 entry ${index} took node ${id} to version ${version}, entry ${other.index} took node ${other.node} to ${other.version}`);
      return;
    }
    this.#raised.push({ index, version, node: id });
    for (const member of replica.membership.members) {
      const known = this.#known.get(member.id) ?? 0;
      if (known >= version) continue;
      this.#reporter.broken('the version of the cluster is one that all members know', id,
        `C1 entry ${index} raised it to ${version}, and no program of member ${member.id} has known more than ${known}`);
    }
  }
}
