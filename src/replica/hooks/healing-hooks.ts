/**
 * Where healing plugs into a replica. The replica knows when something is to be mended (a read met a bad block, a
 * heal edit was applied, the leader changed); how it is mended is `healing/`'s, which builds on the replica and is
 * therefore handed in.
 */

import type { LogIndex, NodeId, TableId, Term } from '../../base/ids.js';
import type { Env } from '../../base/env.js';
import type { LogicalManifest } from '../../storage/version/logical-manifest.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import type { StorageError } from '../../storage/base/errors.js';
import type { BlockFaults } from '../../storage/table/block-faults.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { TableFetcher } from '../fetch/table-fetcher.js';

/** What healing may ask of the replica it serves. */
export interface HealingHost {
  readonly env: Env;
  readonly memberId: NodeId;
  /** All other members. */
  readonly peers: readonly NodeId[];
  readonly tables: TableStore;
  readonly fetcher: TableFetcher;
  /** 0 when none is known. */
  leader(): NodeId;
  term(): Term;
  /** This node leads and has applied an entry of its own term: only then may it propose tree ops. */
  canPropose(): boolean;
  /** The newest logical manifest applied here. */
  logical(): LogicalManifest;
  /** The version this node reads from: all its tables are local. */
  materialized(): LogicalManifest;
  /** The version the durable manifest holds. */
  durable(): LogicalManifest;
  /** Appends a tree op to the log; false if this node may not or the log refuses. The outcome is seen at apply. */
  proposeTreeOp(op: TreeOp): boolean;
}

export interface HealingHooks {
  /** Given to the table store when the replica opens, before any table is read. */
  readonly faults: BlockFaults;
  /** Called once, when the replica is open and its network is about to start. */
  attach(host: HealingHost): Promise<void>;
  /**
   * A read threw BLOCK_UNREADABLE or TABLE_UNREADABLE: obtain good bytes from any peer. Resolves when the read may be
   * tried again; rejects with EtcdError DATA_LOSS once every member said that it has no good copy, and with
   * NetworkError while some could not be asked. Concurrent calls for one block share the work.
   */
  repair(error: StorageError): Promise<void>;
  /**
   * Carries a heal edit out on this node's files: on return `tables/<added.id>.sst` is good, synced and proven past the
   * caches. Clean own bytes are relinked, rotten ones rewritten. The old file stays; the replica removes it.
   */
  materializeHeal(removed: TableMeta, added: TableMeta): Promise<'relink' | 'rewrite' | 'fetch'>;
  /** A heal edit was applied (valid or refused): the queue moves on. */
  healEditApplied(removed: TableId, added: TableMeta | undefined, index: LogIndex): void;
  /** The durable manifest moved: hints against tables that are gone, or whose replacement is proven here, end. */
  durableMoved(): void;
  leaderChanged(leader: NodeId, term: Term): void;
  /** Calls from peers whose method starts with `heal.`. */
  onCall(from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array>;
  /** Tables that no compaction may choose, because blocks of theirs are lost for now. */
  blocked(table: TableId): boolean;
  stop(): Promise<void>;
}
