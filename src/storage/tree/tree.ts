/**
 * The tree of one node: memtables over versions. The version changes as the log is applied; which
 * of its tables are local follows behind. What is read is the newest version whose tables are all
 * local, under the memtables whose data it does not hold yet, so every reader sees all that was
 * applied, however far behind the files are.
 */

import { assert, must } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { LogIndex, TableId } from '../../base/ids.js';
import { Memtable } from '../memtable/memtable.js';
import type { ReadableTree, ReadView, TreeWrite } from '../base/read-view.js';
import type { TableStore } from '../table/table-store.js';
import { TreeFiles, type NamingVersions } from './tree-files.js';
import { TreeVersion } from './tree-version.js';
import { TreeView, type TreeState } from './tree-view.js';
import type { Version } from '../version/version.js';
import type { PositionedOp } from '../version/manifest-record.js';
import type { TableMeta } from '../table/table-meta.js';
import { VersionSet, type Unrecorded } from '../version/version-set.js';

interface TreeOptions {
  readonly disk: Disk;
  readonly tables: TableStore;
  /** The durable version, as the ManifestStore opened it. Its tables count as local. */
  readonly durable: Version;
}

interface SealedMemtable {
  /** Log index of its seal: it holds what was applied after the seal before it, up to here. */
  readonly index: LogIndex;
  readonly memtable: Memtable;
}

export class Tree implements ReadableTree, NamingVersions {
  readonly #tables: TableStore;
  readonly #files: TreeFiles;
  #set: VersionSet;
  #active = new Memtable();
  /** Oldest first. */
  #sealed: SealedMemtable[] = [];
  #version: TreeVersion;
  /** Versions that readers may still hold; the present one is the last. */
  #versions: TreeVersion[];
  #state: TreeState;
  #current: TreeView;
  /** Of the last write that readers see. */
  #sequence = 0;
  /** Writes of the next sequence are in the memtable already. */
  #staging = false;
  /** Called after each move of `materialized`. Must not throw. */
  onMaterialized: (() => void) | undefined;

  constructor(options: TreeOptions) {
    this.#tables = options.tables;
    this.#files = new TreeFiles(options.disk, options.tables);
    this.#files.addAll(options.durable);
    this.#set = new VersionSet(options.durable, this.#files);
    this.#version = new TreeVersion(options.durable, options.tables, undefined);
    this.#versions = [this.#version];
    this.#state = { memtables: [this.#active], version: this.#version };
    this.#current = new TreeView(this.#state, Number.MAX_SAFE_INTEGER, undefined);
  }

  // Data.

  get current(): ReadView {
    return this.#current;
  }

  view(): TreeView {
    const { version } = this.#state;
    version.retain();
    return new TreeView(this.#state, this.#sequence, version);
  }

  write(writes: readonly TreeWrite[]): void {
    assert(!this.#staging, 'S2 nothing is written while half of an entry is');
    const sequence = ++this.#sequence;
    for (let i = 0; i < writes.length; i++) this.#active.insert(writes[i] as TreeWrite, sequence);
  }

  stage(write: TreeWrite): void {
    if (!this.#staging) {
      this.#staging = true;
      this.#current = this.#present();
    }
    this.#active.insert(write, this.#sequence + 1);
  }

  publish(): void {
    assert(this.#staging, 'S2 what is published was staged');
    this.#staging = false;
    this.#sequence++;
    this.#current = this.#present();
  }

  /**
   * The entry at `index` sealed the memtable: call after the writes of the entries before it and
   * before those of later ones. When the log is replayed: at the indexes of `durable.seals`, and at
   * those of new seals that apply as `sealed`.
   */
  seal(index: LogIndex): void {
    assert(!this.#staging, `S1 a memtable is sealed between entries, and not within the one before ${index}`);
    const previous = this.#sealed.at(-1)?.index ?? this.materialized.flushed.index;
    assert(index > previous, `S1 memtables are sealed in log order: ${index} after ${previous}`);
    this.#active.seal();
    this.#sealed.push({ index, memtable: this.#active });
    this.#active = new Memtable();
    this.#readAnew();
  }

  /** Of the active memtable. */
  get memtableBytes(): number {
    return this.#active.bytes;
  }

  get sealedMemtables(): number {
    return this.#sealed.length;
  }

  get sealedBytes(): number {
    return this.#sealed.reduce((sum, sealed) => sum + sealed.memtable.bytes, 0);
  }

  /** The memtable that was sealed at `index`, until a materialized version holds its data. */
  sealed(index: LogIndex): Memtable | undefined {
    return this.#sealed.find((sealed) => sealed.index === index)?.memtable;
  }

  // Versions.

  /** Takes each version as it is applied, with its op. The first follows the durable one. */
  advance(manifest: Version, op: PositionedOp): void {
    this.#files.left(this.#set.advance(manifest, op));
    this.#settle();
  }

  /** The newest version: as of the last op that was applied. */
  get latest(): Version {
    return this.#set.latest;
  }

  /**
   * The newest version whose tables are all local: what is read. Its `last.index` is the
   * materialized index: every op up to there is in local files. Its `flushed.index` is the flushed
   * index: every write up to there is in local tables.
   */
  get materialized(): Version {
    return this.#set.materialized;
  }

  /** What the ManifestStore recorded last. */
  get durable(): Version {
    return this.#set.durable;
  }

  /** Tables of the latest version that are not local, oldest id first. */
  owed(): readonly TableMeta[] {
    return this.#set.owed();
  }

  isLocal(id: TableId): boolean {
    return this.#files.has(id);
  }

  /**
   * The file tables/<id>.sst is complete, verified and synced, and its name is durable. May move
   * `materialized`.
   */
  markLocal(id: TableId): void {
    this.#files.add(id);
    this.#settle();
  }

  /** Of any version that is still kept (durable to latest). */
  meta(id: TableId): TableMeta | undefined {
    return this.#set.meta(id);
  }

  /**
   * What the durable manifest lacks of the materialized version; undefined if nothing. Pass it to
   * ManifestStore.append, then its manifest to setDurable, then collect().
   */
  unrecorded(): Unrecorded | undefined {
    return this.#set.unrecorded();
  }

  /** The ManifestStore has synced this version: one that unrecorded() gave. */
  setDurable(manifest: Version): void {
    this.#set.setDurable(manifest);
    assert(this.durable.flushed.index <= this.materialized.flushed.index, 'S5 what is durably flushed is in the tables that are read');
  }

  /**
   * A snapshot was received: all its tables are local, and it is the durable manifest now. Every
   * memtable and every other version goes; the log is applied from its `flushed.index` + 1 on.
   * Views taken before stay as they were.
   */
  reset(manifest: Version): void {
    assert(!this.#staging, 'S1 nothing is applied while another version takes its place');
    this.#files.addAll(manifest);
    this.#files.replaced();
    this.#set = new VersionSet(manifest, this.#files);
    this.#sealed = [];
    this.#active = new Memtable();
    this.#openVersion(manifest);
    this.#readAnew();
    this.onMaterialized?.();
  }

  // Files.

  /**
   * Keeps the files of these tables until the returned function is called. For snapshot transfers
   * (S5).
   */
  pin(tables: readonly { readonly id: TableId }[]): () => void {
    return this.#files.pin(tables.map((table) => table.id));
  }

  /** Local tables that no kept version, no reader and no pin names. */
  deletable(): TableId[] {
    this.#dropUnread();
    return this.#files.unnamed(this.latest, this);
  }

  /** Deletes the files of {@link deletable}, and gives their ids. */
  collect(): Promise<TableId[]> {
    return this.#files.collect(this.deletable());
  }

  /**
   * Paths in tables/ that nothing names, and that nothing will name which may still be replayed:
   * leftovers of a crash. Ask for them, and delete them, only when the manifest is the one that
   * hard state names.
   */
  orphans(): Promise<string[]> {
    this.#dropUnread();
    return this.#files.orphans(this.latest, this);
  }

  /** S5: does a kept version (and so any pending plan) or a reader's version name this table? */
  names(id: TableId): boolean {
    return this.#set.names(id) || this.#versions.some((version) => version.manifest.has(id));
  }

  /** Versions that nobody reads any more, but for the present one. */
  #dropUnread(): void {
    this.#versions = this.#versions.filter((version) => version.readers > 0 || version === this.#version);
  }

  /** Moves reads to the newest version whose tables are all local, if that has changed. */
  #settle(): void {
    const before = this.materialized;
    if (!this.#set.settle()) return;
    const now = this.materialized;
    const flushed = now.flushed.index;
    this.#sealed = this.#sealed.filter((sealed) => sealed.index > flushed);
    if (now.levels !== before.levels) this.#openVersion(now);
    this.#readAnew();
    this.onMaterialized?.();
  }

  #openVersion(manifest: Version): void {
    this.#version = new TreeVersion(manifest, this.#tables, this.#version);
    this.#versions = this.#versions.filter((version) => version.readers > 0);
    this.#versions.push(this.#version);
  }

  /** Memtables or version have changed. */
  #readAnew(): void {
    assert(!this.#active.sealed, 'S1 writes go to a memtable that is not sealed');
    const memtables = [this.#active];
    for (let i = this.#sealed.length - 1; i >= 0; i--) memtables.push(must(this.#sealed[i], 'index in range').memtable);
    assert(this.#version.manifest.levels === this.materialized.levels, 'S2 what is read is the materialized version');
    this.#state = { memtables, version: this.#version };
    this.#current = this.#present();
  }

  /** Shows each write as it comes, but none that is staged. */
  #present(): TreeView {
    return new TreeView(this.#state, this.#staging ? this.#sequence : Number.MAX_SAFE_INTEGER, undefined);
  }
}
