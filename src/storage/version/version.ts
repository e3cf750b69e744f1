/**
 * A version, also called the logical manifest: the shape of the tree as a function of the log (S1,
 * S2). It is what the manifest stores, what a snapshot carries, and what ops are judged against.
 * Immutable: applying an op gives a new one. It holds nothing about this node's files. What can be
 * looked up is worked out when it is first asked for, and kept.
 */

import { assert } from '../../base/assert.js';
import type { Digest128, LogIndex, TableId, Term } from '../../base/ids.js';
import { LEVELS } from '../base/settings.js';
import { sameBirth, type TableMeta, type TableName } from '../table/table-meta.js';
import type { PendingPlan, PendingSeal } from './pending.js';
import { TableIndex } from './table-index.js';

export interface LogPosition {
  readonly index: LogIndex;
  readonly term: Term;
}

export interface VersionFields {
  readonly nextTableId: TableId;
  /** Level 0: newest flush first, may overlap. Others: by key, disjoint. LEVELS arrays. */
  readonly levels: readonly (readonly TableMeta[])[];
  /** Oldest first. */
  readonly seals: readonly PendingSeal[];
  /** By index. */
  readonly plans: readonly PendingPlan[];
  /** Of the last seal that was flushed, 0 at first: every write up to here is in tables. */
  readonly flushed: LogPosition;
  /** The last op applied, valid or not. */
  readonly last: LogPosition;
}

/** A live table, and where it lies. */
export interface Located {
  readonly meta: TableMeta;
  readonly level: number;
  /** In its level; in level 0 a lower one is newer. */
  readonly position: number;
}

export class Version implements VersionFields {
  readonly nextTableId: TableId;
  readonly levels: readonly (readonly TableMeta[])[];
  readonly seals: readonly PendingSeal[];
  readonly plans: readonly PendingPlan[];
  readonly flushed: LogPosition;
  readonly last: LogPosition;
  /** Shared by all versions with the same levels. */
  readonly #tables: LiveTables;
  /** Shared by all versions with the same plans. */
  readonly #busy: BusyTables;

  private constructor(fields: VersionFields, before: Version | undefined) {
    assert(fields.levels.length === LEVELS, `S2 a version has ${LEVELS} levels, not ${fields.levels.length}`);
    this.nextTableId = fields.nextTableId;
    this.levels = fields.levels;
    this.seals = fields.seals;
    this.plans = fields.plans;
    this.flushed = fields.flushed;
    this.last = fields.last;
    if (before === undefined) this.#tables = new LiveTables(fields.levels, undefined);
    else this.#tables = before.levels === fields.levels ? before.#tables : new LiveTables(fields.levels, before.#tables);
    this.#busy = before?.plans === fields.plans ? before.#busy : new BusyTables(fields.plans);
  }

  static of(fields: VersionFields): Version {
    return new Version(fields, undefined);
  }

  /** Of an empty store. */
  static empty(): Version {
    const nothing = { index: 0, term: 0 };
    const levels = Array.from({ length: LEVELS }, () => []);
    return Version.of({ nextTableId: 1, levels, seals: [], plans: [], flushed: nothing, last: nothing });
  }

  /** The same but for these fields. */
  with(changes: Partial<VersionFields>): Version {
    const { nextTableId, levels, seals, plans, flushed, last } = this;
    return new Version({ nextTableId, levels, seals, plans, flushed, last, ...changes }, this);
  }

  /** All live tables by id, in level order. */
  tables(): ReadonlyMap<TableId, TableMeta> {
    return this.#tables.byId;
  }

  /** All live tables in level order: level 0, newest first, then each level by key. */
  list(): readonly TableMeta[] {
    return this.#tables.list;
  }

  /** The live table of this id. */
  table(id: TableId): TableMeta | undefined {
    return this.#tables.index.get(id);
  }

  has(id: TableId): boolean {
    return this.table(id) !== undefined;
  }

  /** The tables of one level, in its order; none if there is no such level. */
  level(level: number): readonly TableMeta[] {
    return this.levels[level] ?? [];
  }

  /** All live tables by id, with the place of each, in level order. */
  located(): ReadonlyMap<TableId, Located> {
    return this.#tables.located;
  }

  /**
   * Live tables that hold the bytes of this name, whatever their ids: a heal gives the same bytes a
   * new id.
   */
  named(name: TableName): readonly TableMeta[] {
    return this.#tables.named(name);
  }

  /** Live tables with these file bytes. */
  withBytes(fileDigest: Digest128): readonly TableMeta[] {
    return this.#tables.withBytes(fileDigest);
  }

  /**
   * Is it an input of a pending plan? An edit of such a table is coming, and every other one is
   * refused.
   */
  isBusy(id: TableId): boolean {
    return this.#busy.ids.has(id);
  }

  /** The pending seal of this log index. */
  seal(index: LogIndex): PendingSeal | undefined {
    return this.seals.find((seal) => seal.index === index);
  }

  /** The pending plan of this log index. */
  plan(index: LogIndex): PendingPlan | undefined {
    return this.plans.find((plan) => plan.index === index);
  }

  /** Does a seal or a plan of this log index wait for its edit? */
  isPending(index: LogIndex): boolean {
    return this.seal(index) !== undefined || this.plan(index) !== undefined;
  }
}

/** What can be asked about the tables of some levels, each worked out once. */
class LiveTables {
  readonly #levels: readonly (readonly TableMeta[])[];
  #list: readonly TableMeta[] | undefined;
  #index: TableIndex | undefined;
  #byId: ReadonlyMap<TableId, TableMeta> | undefined;
  #located: ReadonlyMap<TableId, Located> | undefined;
  #byDigest: ReadonlyMap<Digest128, readonly TableMeta[]> | undefined;

  constructor(levels: readonly (readonly TableMeta[])[], before: LiveTables | undefined) {
    this.#levels = levels;
    // At once: what it is made from is not kept.
    this.#index = before === undefined ? undefined : before.#next(levels);
  }

  #next(levels: readonly (readonly TableMeta[])[]): TableIndex | undefined {
    return this.#index === undefined ? undefined : this.#index.next(levels);
  }

  get index(): TableIndex {
    return (this.#index ??= TableIndex.of(this.#levels));
  }

  get list(): readonly TableMeta[] {
    return (this.#list ??= this.#levels.flat());
  }

  get byId(): ReadonlyMap<TableId, TableMeta> {
    if (this.#byId !== undefined) return this.#byId;
    const byId = new Map<TableId, TableMeta>();
    for (const tables of this.#levels) for (const meta of tables) byId.set(meta.id, meta);
    return (this.#byId = byId);
  }

  get located(): ReadonlyMap<TableId, Located> {
    if (this.#located !== undefined) return this.#located;
    const located = new Map<TableId, Located>();
    this.#levels.forEach((tables, level) => {
      tables.forEach((meta, position) => located.set(meta.id, { meta, level, position }));
    });
    return (this.#located = located);
  }

  named({ birth, fileDigest }: TableName): readonly TableMeta[] {
    return this.withBytes(fileDigest).filter((meta) => sameBirth(meta.birth, birth));
  }

  withBytes(fileDigest: Digest128): readonly TableMeta[] {
    return (this.#byDigest ??= this.#groupByDigest()).get(fileDigest) ?? [];
  }

  #groupByDigest(): Map<Digest128, TableMeta[]> {
    const groups = new Map<Digest128, TableMeta[]>();
    for (const meta of this.list) {
      const group = groups.get(meta.fileDigest);
      if (group === undefined) groups.set(meta.fileDigest, [meta]);
      else group.push(meta);
    }
    return groups;
  }
}

/** Inputs of pending plans. */
class BusyTables {
  readonly #plans: readonly PendingPlan[];
  #ids: ReadonlySet<TableId> | undefined;

  constructor(plans: readonly PendingPlan[]) {
    this.#plans = plans;
  }

  get ids(): ReadonlySet<TableId> {
    return (this.#ids ??= new Set(this.#plans.flatMap((plan) => plan.inputs.map((input) => input.id))));
  }
}
