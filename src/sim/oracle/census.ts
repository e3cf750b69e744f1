/**
 * The census: what is on the disks now. It compares every medium with the bytes that a table was
 * born with, which it takes from whatever medium first has them whole. Always true: it only counts.
 * It changes no medium, and it has no opinion: which copy may be relied on, and which may be
 * missing, is the verdict.
 *
 * A node has the tables of its durable version: of a node that is down, the version that it had
 * when it went; of one whose directory was wiped or rolled back, none until its next life.
 */

import type { KintsugiEvent } from '../../base/events.js';
import type { Digest128, NodeId, TableId } from '../../base/ids.js';
import { outputPath, tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { SpecifiedRegion } from '../../storage/table/table-layout.js';
import type { Version } from '../../storage/version/version.js';
import type { WatchedNode } from '../cluster/watched-node.js';
import type { Extent, Ledger } from './ledger.js';
import { fileDigest, PristineTables, sameBytes, type CopyState, type PristineTable } from './pristine-tables.js';

const TABLE_PATH = /^tables\/(\d{1,15})\.sst$/;

export class Census {
  readonly #ledger: Ledger;
  readonly #nodes: readonly WatchedNode[];
  readonly #pristine = new PristineTables();
  /** Ids are given out by the log, so they mean the same table on every node (S2). */
  readonly #metas = new Map<TableId, TableMeta>();
  /** The durable version of a node that is down, as it was when it went. */
  readonly #left = new Map<NodeId, Version>();

  constructor(nodes: readonly WatchedNode[], ledger: Ledger) {
    this.#nodes = nodes;
    this.#ledger = ledger;
  }

  // --- Nodes and their versions ---

  /** In the order of their ids. */
  get nodes(): Iterable<WatchedNode> {
    return this.#nodes;
  }

  node(id: NodeId): WatchedNode | undefined {
    return this.#nodes.find((node) => node.id === id);
  }

  /** The durable version of that node, as it is or as it was when the node went. */
  durableOf(id: NodeId): Version | undefined {
    const node = this.node(id);
    if (node?.running === undefined || this.#ledger.forgottenIn(id, node.lives)) return this.#left.get(id);
    return node.running.replica.tree.durable;
  }

  /** Its durable version is an earlier one than it had when its last life ended. */
  isBehindItsPast(id: NodeId): boolean {
    const left = this.#left.get(id);
    const durable = this.durableOf(id);
    return left !== undefined && durable !== undefined && durable.last.index < left.last.index;
  }

  /** Tables that the durable version of this node names. */
  durableTablesOf(id: NodeId): readonly TableMeta[] {
    return this.durableOf(id)?.levels.flat() ?? [];
  }

  /** Tables that this node may still read, durable or not; the same one may come again. */
  tablesOf(id: NodeId): readonly TableMeta[] {
    const durable = this.durableOf(id);
    const tree = this.node(id)?.running?.replica.tree;
    const versions = new Set(tree === undefined ? [durable] : [durable, tree.materialized, tree.latest]);
    return [...versions].flatMap((version) => version?.list() ?? []);
  }

  // --- Tables ---

  /**
   * By its id, which means the same table on every node; undefined while nobody was seen to have
   * it.
   */
  meta(id: TableId): TableMeta | undefined {
    return this.#metas.get(id);
  }

  /** The same, or as this node has it in its tree. */
  metaAt(node: WatchedNode, id: TableId): TableMeta | undefined {
    return this.#metas.get(id) ?? node.running?.replica.tree.meta(id);
  }

  /**
   * The table that a path in the directory of tables is of: by its id, or as a plan's output that
   * an edit has named since.
   */
  metaOfPath(path: string): TableMeta | undefined {
    const id = TABLE_PATH.exec(path)?.[1];
    if (id !== undefined) return this.#metas.get(Number(id));
    for (const meta of this.#metas.values()) if (outputPath(meta.birth.sequence, meta.birth.ordinal) === path) return meta;
    return undefined;
  }

  /** The bytes of a table as it was born; undefined while no medium has had them whole. */
  pristine(digest: Digest128): PristineTable | undefined {
    const known = this.#pristine.get(digest);
    if (known !== undefined) return known;
    for (const meta of this.#metas.values()) {
      if (meta.fileDigest !== digest) continue;
      for (const node of this.#nodes) if (this.#learn(node, meta)) return this.#pristine.get(digest);
    }
    return undefined;
  }

  /**
   * The name is of a table of these bytes. A hard link: what strikes one name strikes the other.
   */
  isNameOf(path: string, digest: Digest128): boolean {
    return this.#metas.get(Number(TABLE_PATH.exec(path)?.[1] ?? 0))?.fileDigest === digest;
  }

  // --- Copies ---

  /**
   * The path of a copy from which that node can have this block, among `tables`; undefined: it has
   * none.
   */
  goodPath(node: WatchedNode, tables: readonly TableMeta[], pristine: PristineTable, region: SpecifiedRegion): string | undefined {
    for (const meta of tables) {
      if (meta.fileDigest !== pristine.meta.fileDigest) continue;
      const path = tablePath(meta.id);
      const copy = node.disk.medium(path);
      if (copy === undefined || this.#ledger.isUnreadable(node.id, path, region)) continue;
      if (pristine.stateOf(copy, region) !== 'beyond') return path;
    }
    return undefined;
  }

  /**
   * How the blocks of a file on that medium are that are not as they were born; undefined: the
   * table's bytes are not known.
   */
  faultsOf(node: NodeId, meta: TableMeta): readonly { readonly region: SpecifiedRegion; readonly state: CopyState }[] | undefined {
    const pristine = this.pristine(meta.fileDigest);
    if (pristine === undefined) return undefined;
    const copy = this.node(node)?.disk.medium(tablePath(meta.id)) ?? new Uint8Array(0);
    return pristine.regions
      .map((region) => ({ region, state: pristine.stateOf(copy, region) }))
      .filter(({ state }) => state !== 'intact');
  }

  /** That node's file of this table is, on its medium, what it was when the table was born. */
  asBorn(node: NodeId, meta: TableMeta): boolean {
    const bytes = this.node(node)?.disk.medium(tablePath(meta.id));
    if (bytes === undefined) return false;
    const pristine = this.pristine(meta.fileDigest);
    return pristine === undefined ? fileDigest(bytes) === meta.fileDigest : sameBytes(bytes, pristine.bytes);
  }

  /** A sector that cannot be read lies in this stretch of that node's file. */
  isUnreadable(node: NodeId, id: TableId, stretch: Pick<Extent, 'offset' | 'length'>): boolean {
    return this.#ledger.isUnreadable(node, tablePath(id), stretch);
  }

  // --- What it hears ---

  /** A table is there on this node: learn what it is, and its bytes if they are whole. */
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
        this.onStart(node);
        return;
      default:
    }
  }

  /** A replica is there: all its tables are looked at. */
  onStart(node: WatchedNode): void {
    const tree = node.running?.replica.tree;
    if (tree === undefined) return;
    for (const { levels } of new Set([tree.durable, tree.latest])) {
      for (const meta of levels.flat()) {
        this.#metas.set(meta.id, meta);
        this.#learn(node, meta);
      }
    }
  }

  /** Its life is over, and what it ran can still be seen. */
  onDeath({ id, lives, running }: WatchedNode): void {
    if (running === undefined || this.#ledger.forgottenIn(id, lives)) return;
    this.#left.set(id, running.replica.tree.durable);
  }

  /** Its directory was emptied, or put back to an older state. */
  onForgotten(id: NodeId): void {
    this.#left.delete(id);
  }

  #seen(node: WatchedNode, id: TableId): void {
    const meta = this.metaAt(node, id);
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
}
