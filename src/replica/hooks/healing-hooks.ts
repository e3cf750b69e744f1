/**
 * Where healing plugs into a replica. The replica knows when something is to be mended (a read met
 * a bad block, a heal edit was applied); how it is mended is `healing/`'s, which builds on the
 * replica and is therefore given to it from above.
 */

import type { LogIndex, NodeId, TableId } from '../../base/ids.js';
import type { StorageError } from '../../storage/base/errors.js';
import type { BlockFaults } from '../../storage/table/block-faults.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TreeProposer } from '../consensus/tree-proposer.js';
import type { TableFetcher } from '../fetch/table-fetcher.js';
import type { HardStatePatrol } from '../hard-state/hard-state-patrol.js';
import type { Leadership } from '../state/leadership.js';
import type { Membership } from '../state/membership.js';

/** What healing sees of the replica that it serves. */
export interface HealingContext {
  readonly membership: Pick<Membership, 'self' | 'peers'>;
  readonly leadership: Pick<Leadership, 'leader' | 'term' | 'isLeader' | 'mayShapeTree' | 'subscribe'>;
  /** Its versions: latest (applied), materialized (read), durable (in the manifest). */
  readonly tree: Pick<Tree, 'latest' | 'materialized' | 'durable'>;
  readonly tables: TableStore;
  readonly fetcher: TableFetcher;
  /** Heal edits go into the log through it; their outcome is seen at apply. */
  readonly proposer: Pick<TreeProposer, 'propose'>;
  /** A scrub looks at the hard state, too: how many of its copies were bad. */
  readonly hardState: Pick<HardStatePatrol, 'scrub'>;
}

export interface HealingHooks {
  /** Given to the table store when the replica opens, before any table is read. */
  readonly faults: BlockFaults;
  /** Called once, when the replica is open and its network is about to start. */
  attach(context: HealingContext): Promise<void>;
  /**
   * A read threw BLOCK_UNREADABLE or TABLE_UNREADABLE: obtain good bytes from any peer. Resolves
   * when the read may be tried again; rejects with EtcdError DATA_LOSS once every member said that
   * it has no good copy, and with NetworkError while some could not be asked. Concurrent calls for
   * one block share the work.
   */
  repair(error: StorageError): Promise<void>;
  /**
   * Carries a heal edit out on this node's files: on return `tables/<added.id>.sst` is good, synced
   * and proven past the caches. Clean own bytes are relinked, rotten ones rewritten. The old file
   * stays; the replica removes it.
   */
  materializeHeal(removed: TableMeta, added: TableMeta): Promise<'relink' | 'rewrite' | 'fetch'>;
  /** A heal edit was applied (valid or refused): the queue moves on. */
  healEditApplied(removed: TableId, added: TableMeta | undefined, index: LogIndex): void;
  /**
   * The durable manifest moved: hints against tables that are gone, or whose replacement is proven
   * here, end.
   */
  durableMoved(): void;
  /** Calls from peers that no part of the replica answers. Rejects with CodecError. */
  onCall(from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array>;
  /** Every member said of some block that it has no good copy, and none came back. */
  readonly hasLost: boolean;
  /** Tables that no compaction may choose, because blocks of theirs are lost for now. */
  blocked(table: TableId): boolean;
  stop(): Promise<void>;
}
