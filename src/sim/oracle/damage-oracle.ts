/**
 * Knows which block of which table still has a good copy where, by comparing every medium with the bytes that the table was born
 * with; and what was done to log, hard state and manifest of each node, as it is told. So "must survive" and "may refuse" are
 * decided, never guessed: the fault planner asks before it strikes, the checks ask before they excuse.
 *
 * A copy counts if the durable manifest of its node names it, and its node is not doomed: neither stopped for good, nor
 * about to stop because of damage that it need not survive.
 */

import type { KintsugiEvent } from '../../base/events.js';
import type { Digest128, LogIndex, NodeId, TableId } from '../../base/ids.js';
import type { SpecifiedRegion } from '../../storage/table/table-layout.js';
import type { LogicalManifest } from '../../storage/version/logical-manifest.js';
import { outputPath, tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { DiskFault } from '../model/fault.js';
import type { World } from '../world/world.js';
import { DamageLedger, type NodeFault } from './damage-ledger.js';
import { excuseOf } from './excuses.js';
import { fileDigest, PristineTables, sameBytes, type CopyState, type PristineTable } from './pristine-tables.js';
import type { WatchedNode } from '../cluster/watched-node.js';

export interface DamageOracleOptions {
  readonly world: Pick<World, 'nowUs'>;
  readonly nodes: readonly WatchedNode[];
}

export interface Copy {
  readonly node: NodeId;
  readonly path: string;
}

interface Extent {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

const SEGMENT = /^log\/[0-9a-f]+\.seg$/;
const PROVEN_PATH = /^tables\/(plan|heal|fetch)-.*\.tmp$/;
const TABLE_PATH = /^tables\/(\d{1,15})\.sst$/;

/** A file that was healed, or replaced, is proven, has its name and is recorded within this. */
export const PROVEN_WITHIN_US = 30_000_000;

export class DamageOracle {
  readonly ledger = new DamageLedger();
  readonly #world: Pick<World, 'nowUs'>;
  readonly #nodes: ReadonlyMap<NodeId, WatchedNode>;
  readonly #pristine = new PristineTables();
  /** Ids are given out by the log, so they mean the same table on every node (S2). */
  readonly #metas = new Map<TableId, TableMeta>();
  /** The durable version of a node that is down, as it was when it went. */
  readonly #left = new Map<NodeId, Version>();
  /** Lives whose directory was wiped or rolled back under them. */
  readonly #forgotten = new Map<NodeId, number>();
  /** When the life before ended. */
  readonly #lifeBeganUs = new Map<NodeId, number>();
  /** What was done to its manifest before this was met by a start. */
  readonly #versionsReadUs = new Map<NodeId, number>();
  /** Where the durable log ended when its sync failed, and in which life. */
  readonly #failedSyncs = new Map<NodeId, { readonly life: number; readonly index: LogIndex }>();
  /** Stretches that give read errors until further notice. */
  readonly #unreadable = new Map<NodeId, Extent[]>();

  constructor({ world, nodes }: DamageOracleOptions) {
    this.#world = world;
    this.#nodes = new Map(nodes.map((node) => [node.id, node]));
  }

  // --- For the fault planner ---

  /**
   * Whether these bytes of that file may go: every block of a table that they touch is to be had from another node. Of a plan's output
   * that no edit has named yet, another node must have the same. True for whatever is no table: that is for the planner's profile.
   */
  mayDamage(node: NodeId, path: string, offset: number, length: number): boolean {
    if (!path.startsWith('tables/')) return true;
    const id = TABLE_PATH.exec(path)?.[1];
    const meta = id === undefined ? this.#metaOfOutput(path) : this.#metas.get(Number(id));
    if (meta === undefined) return this.#sameElsewhere(node, path, offset, length);
    const pristine = this.pristine(meta.fileDigest);
    if (pristine === undefined) return false;
    return pristine.touched(offset, length).every((region) => this.#holder(pristine, region, node) !== undefined);
  }

  /** Whether all of that node's tables may go, or the node: each block of theirs is to be had from another one. */
  mayLose(node: NodeId): boolean {
    for (const meta of this.#tablesOf(node)) {
      const pristine = this.pristine(meta.fileDigest);
      if (pristine === undefined) return false;
      if (!pristine.regions.every((region) => this.#holder(pristine, region, node) !== undefined)) return false;
    }
    return true;
  }

  /**
   * A fault struck. `grave`: a node need not survive it alone (log records above F, three slots of the hard state, both copies of a
   * manifest record): only such damage excuses a stop. A refusal of the disk (errors of writes, syncs, reads, no space) is noted
   * when it strikes, and excuses that the life which met it ends. `sticky-read-error`: the stretch is unreadable until {@link noteMended}.
   */
  noteDamage(node: NodeId, path: string, offset: number, length: number, kind: DiskFault, grave = false): void {
    this.ledger.note(node, { atUs: this.#world.nowUs, path, offset, length, kind, grave });
    if (kind === 'sync-error' && SEGMENT.test(path)) this.#syncFailed(node);
    if (kind !== 'sticky-read-error') return;
    const extents = this.#unreadable.get(node) ?? [];
    const end = offset + length;
    const known = extents.some((extent) => extent.path === path && extent.offset <= offset && extent.offset + extent.length >= end);
    if (!known) this.#unreadable.set(node, [...extents, { path, offset, length }]);
  }

  #syncFailed(id: NodeId): void {
    const node = this.#nodes.get(id);
    const log = node?.running?.replica.log;
    if (node === undefined || log === undefined || this.#failedSyncs.get(id)?.life === node.lives) return;
    this.#failedSyncs.set(id, { life: node.lives, index: log.lastIndex() });
  }

  /** A sync of this node's log failed in its present life: nothing behind this index is durable. */
  failedSync({ id, lives }: WatchedNode): LogIndex | undefined {
    const failed = this.#failedSyncs.get(id);
    return failed?.life === lives ? failed.index : undefined;
  }

  /** Nothing of that node gives read errors any more. */
  noteMended(node: NodeId): void {
    this.#unreadable.delete(node);
  }

  /** Its directory is about to be emptied, or put back to an older state. */
  noteFault(node: NodeId, what: NodeFault): void {
    this.ledger.noteFault(node, what, this.#world.nowUs);
    this.#left.delete(node);
    const watched = this.#nodes.get(node);
    if (watched?.running !== undefined) this.#forgotten.set(node, watched.lives);
  }

  /** Where a good copy of the block at `offset` lies, on another node than `except`. */
  goodCopyOf(digest: Digest128, offset: number, except?: NodeId): Copy | undefined {
    const pristine = this.pristine(digest);
    const region = pristine?.touched(offset, 1)[0];
    return pristine === undefined || region === undefined ? undefined : this.#holder(pristine, region, except);
  }

  /** Something was done to its log that it need not survive alone. */
  damagedLog(node: NodeId): boolean {
    return this.ledger.grave(node, 'log') !== undefined;
  }

  damagedHardState(node: NodeId): boolean {
    return this.ledger.grave(node, 'hardstate') !== undefined;
  }

  /** Its manifest is lost, and it has not started again since: then it has the version of a peer. */
  damagedManifest(node: NodeId): boolean {
    const damage = this.ledger.grave(node, 'manifest');
    return damage !== undefined && damage.atUs >= (this.#versionsReadUs.get(node) ?? -1);
  }

  /**
   * The end of its manifest was destroyed, so that an earlier version passes for the last: tables that it names may have gone with
   * right. Until it is where it was when it ended.
   */
  fellBack(node: NodeId): boolean {
    const left = this.#left.get(node);
    const durable = this.durableOf(node);
    return left !== undefined && durable !== undefined && durable.last.index < left.last.index && this.ledger.grave(node, 'manifest') !== undefined;
  }

  /** It has stopped for good, or nobody should count on it before its next start has ended. Its directory may still be whole otherwise. */
  doomed(node: NodeId): boolean {
    return this.#nodes.get(node)?.state === 'fenced' || this.beyondRecall(node) || this.damagedManifest(node);
  }

  /**
   * Nothing that it has is counted on any more, nor will be. One that a refusal of its disk ended, or that lost its manifest, is back with
   * its next start: what others lost before may be had from it alone.
   */
  beyondRecall(node: NodeId): boolean {
    const forgets = this.ledger.suffered(node, 'wipe') || this.ledger.suffered(node, 'roll-back');
    return forgets || this.damagedLog(node) || this.damagedHardState(node);
  }

  // --- For the checks ---

  /** Why this typed stop has its cause in damage done to that node; undefined: it has not. */
  excuse(node: NodeId, error: unknown): string | undefined {
    return excuseOf(this.ledger, node, error, this.#lifeBeganUs.get(node) ?? -1);
  }

  /** No node that can be reached has this stretch any more, not even by parity: DATA_LOSS is the right answer for it. */
  everyCopyGone(digest: Digest128, offset: number, length: number): boolean {
    const pristine = this.pristine(digest);
    return pristine !== undefined && pristine.touched(offset, length).some((region) => !this.#anywhere(pristine, region));
  }

  /** A block of a table that some node still needs, and no node has: excuses DATA_LOSS, and that healing does not end. */
  lostBlock(): string | undefined {
    const seen = new Set<Digest128>();
    for (const node of this.#nodes.keys()) {
      for (const meta of this.#tablesOf(node)) {
        if (seen.has(meta.fileDigest)) continue;
        seen.add(meta.fileDigest);
        const pristine = this.pristine(meta.fileDigest);
        const lost = pristine?.regions.find((region) => !this.#anywhere(pristine, region));
        if (lost !== undefined) return `every copy of the ${lost.kind} block at ${lost.offset} of table ${meta.id} is gone`;
      }
    }
    return undefined;
  }

  /** How the blocks of a file on that medium are that are not as they were born; undefined: the table's bytes are not known. */
  faultsOf(node: NodeId, meta: TableMeta): readonly { readonly region: SpecifiedRegion; readonly state: CopyState }[] | undefined {
    const pristine = this.pristine(meta.fileDigest);
    if (pristine === undefined) return undefined;
    const copy = this.#nodes.get(node)?.disk.medium(tablePath(meta.id)) ?? new Uint8Array(0);
    return pristine.regions
      .map((region) => ({ region, state: pristine.stateOf(copy, region) }))
      .filter(({ state }) => state !== 'intact');
  }

  /** That node's file of this table is, on its medium, what it was when the table was born. */
  asBorn(node: NodeId, meta: TableMeta): boolean {
    const bytes = this.#nodes.get(node)?.disk.medium(tablePath(meta.id));
    if (bytes === undefined) return false;
    const pristine = this.pristine(meta.fileDigest);
    return pristine === undefined ? fileDigest(bytes) === meta.fileDigest : sameBytes(bytes, pristine.bytes);
  }

  /** A sector that cannot be read lies in this stretch of that node's file. */
  isUnreadable(node: NodeId, id: TableId, stretch: { readonly offset: number; readonly length: number }): boolean {
    return this.#unreadableAt(node, tablePath(id), stretch);
  }

  /** By its id, which means the same table on every node. */
  meta(id: TableId): TableMeta | undefined {
    return this.#metas.get(id);
  }

  /** Any damage was noted to that file of that node, or to the whole node: what is wrong with it has a cause outside the store. */
  touched(node: NodeId, path: string): boolean {
    return this.ledger.of(node).some((damage) => damage.path === path) || this.ledger.suffered(node, 'wipe') || this.ledger.suffered(node, 'roll-back');
  }

  /** These bytes were struck on that node since, under this or another name, or under the one they had while they were written. */
  struckSince(node: NodeId, { fileDigest }: TableMeta, sinceUs: number): boolean {
    return this.ledger.of(node).some(({ atUs, path, kind }) => {
      if (atUs < sinceUs || !path.startsWith('tables/') || isProven(path, kind)) return false;
      if (path.endsWith('.tmp')) return true;
      return this.sameBytes(path, { fileDigest });
    });
  }

  /** The name is of a table of these bytes. A hard link: what strikes one name strikes the other. */
  sameBytes(path: string, { fileDigest }: Pick<TableMeta, 'fileDigest'>): boolean {
    return this.#metas.get(Number(TABLE_PATH.exec(path)?.[1] ?? 0))?.fileDigest === fileDigest;
  }

  /** The bytes of a table as it was born; undefined while no medium has had them whole. */
  pristine(digest: Digest128): PristineTable | undefined {
    const known = this.#pristine.get(digest);
    if (known !== undefined) return known;
    for (const meta of this.#metas.values()) {
      if (meta.fileDigest !== digest) continue;
      for (const node of this.#nodes.values()) if (this.#learn(node, meta)) return this.#pristine.get(digest);
    }
    return undefined;
  }

  /** The durable version of that node, as it is or as it was when the node went. */
  durableOf(node: NodeId): Version | undefined {
    const watched = this.#nodes.get(node);
    if (watched?.running === undefined || this.#forgotten.get(node) === watched.lives) return this.#left.get(node);
    return watched.running.replica.tree.durable;
  }

  // --- What it hears ---

  onEvent(node: WatchedNode, event: KintsugiEvent): void {
    switch (event.type) {
      case 'edit':
        for (const id of event.added) this.#seen(node, id);
        return;
      case 'heal-applied':
        this.#seen(node, event.added);
        return;
      case 'materialized':
        this.#seen(node, event.table);
        return;
      case 'snapshot-received':
        this.#seenAll(node);
        return;
      default:
    }
  }

  /** A replica is there: its directory is open. */
  onStart(node: WatchedNode): void {
    this.#versionsReadUs.set(node.id, this.#lifeBeganUs.get(node.id) ?? 0);
    this.#seenAll(node);
  }

  onDeath(node: WatchedNode): void {
    this.#lifeBeganUs.set(node.id, this.#world.nowUs);
    if (node.running === undefined || this.#forgotten.get(node.id) === node.lives) return;
    this.#left.set(node.id, node.running.replica.tree.durable);
  }

  #seenAll(node: WatchedNode): void {
    const tree = node.running?.replica.tree;
    if (tree === undefined) return;
    for (const version of new Set([tree.durable, tree.latest])) {
      for (const meta of version.list()) {
        this.#metas.set(meta.id, meta);
        this.#learn(node, meta);
      }
    }
  }

  #seen(node: WatchedNode, id: TableId): void {
    const meta = this.#metas.get(id) ?? node.running?.replica.tree.meta(id);
    if (meta === undefined) return;
    this.#metas.set(id, meta);
    this.#learn(node, meta);
  }

  /** True if the table's bytes are known. */
  #learn(node: WatchedNode, meta: TableMeta): boolean {
    if (this.#pristine.get(meta.fileDigest) !== undefined) return true;
    if (this.#pristine.learn(meta, node.disk.medium(tablePath(meta.id)))) return true;
    return this.#pristine.learn(meta, node.disk.medium(outputPath(meta.birth.sequence, meta.birth.ordinal)));
  }

  #metaOfOutput(path: string): TableMeta | undefined {
    for (const meta of this.#metas.values()) if (outputPath(meta.birth.sequence, meta.birth.ordinal) === path) return meta;
    return undefined;
  }

  #sameElsewhere(node: NodeId, path: string, offset: number, length: number): boolean {
    const own = this.#nodes.get(node)?.disk.medium(path);
    if (own === undefined) return true;
    for (const other of this.#nodes.values()) {
      if (other.id === node || this.doomed(other.id)) continue;
      const theirs = other.disk.medium(path);
      if (theirs?.length === own.length && sameStretch(own, theirs, offset, length)) return true;
    }
    return false;
  }

  /** Tables that this node may still read, durable or not. */
  #tablesOf(node: NodeId): readonly TableMeta[] {
    const durable = this.durableOf(node);
    const tree = this.#nodes.get(node)?.running?.replica.tree;
    const versions = new Set(tree === undefined ? [durable] : [durable, tree.materialized, tree.latest]);
    return [...versions].flatMap((version) => version?.list() ?? []);
  }

  #holder(pristine: PristineTable, region: SpecifiedRegion, except: NodeId | undefined): Copy | undefined {
    for (const node of this.#nodes.values()) {
      if (node.id === except || this.doomed(node.id)) continue;
      const path = this.#goodPath(node, this.durableOf(node.id)?.list() ?? [], pristine, region);
      if (path !== undefined) return { node: node.id, path };
    }
    return undefined;
  }

  #anywhere(pristine: PristineTable, region: SpecifiedRegion): boolean {
    for (const node of this.#nodes.values()) {
      if (node.state === 'fenced') continue;
      if (this.#goodPath(node, this.#tablesOf(node.id), pristine, region) !== undefined) return true;
    }
    return false;
  }

  #goodPath(node: WatchedNode, tables: readonly TableMeta[], pristine: PristineTable, region: SpecifiedRegion): string | undefined {
    for (const meta of tables) {
      if (meta.fileDigest !== pristine.meta.fileDigest) continue;
      const path = tablePath(meta.id);
      const copy = node.disk.medium(path);
      if (copy === undefined || this.#unreadableAt(node.id, path, region)) continue;
      if (pristine.stateOf(copy, region) !== 'beyond') return path;
    }
    return undefined;
  }

  #unreadableAt(node: NodeId, path: string, { offset, length }: { readonly offset: number; readonly length: number }): boolean {
    const extents = this.#unreadable.get(node) ?? [];
    return extents.some((extent) => extent.path === path && extent.offset < offset + length && offset < extent.offset + extent.length);
  }
}

/** Whatever makes a file of a table writes it, syncs it and reads it back past the caches: what the device lost of it by then was met. */
export function isProven(path: string, kind: DiskFault): boolean {
  return PROVEN_PATH.test(path) && (kind === 'lost-write' || kind === 'misdirected-write');
}

function sameStretch(a: Uint8Array, b: Uint8Array, offset: number, length: number): boolean {
  const end = Math.min(a.length, offset + length);
  for (let i = Math.max(0, offset); i < end; i++) if (a[i] !== b[i]) return false;
  return true;
}
