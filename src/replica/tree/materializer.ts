/**
 * Makes this member's files follow the logical manifest. For each owed table the cheapest way that
 * gives the confirmed digest: relink what was produced here, carry a heal edit out, or fetch it
 * from a peer. Ways may fail and are tried again; a table that a later edit removed is no longer
 * owed, so a member that lags jumps over it.
 */

import { assert } from '../../base/assert.js';
import { Coalesced } from '../../base/coalesced.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import { sleep } from '../../base/env.js';
import type { LogIndex, TableId } from '../../base/ids.js';
import type { Tree } from '../../storage/tree/tree.js';
import { outputPath, sameTable, tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { TableFetcher } from '../fetch/table-fetcher.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import { isNoSpace, type Room } from '../state/room.js';
import type { Executor } from './executor.js';

export interface MaterializerParts {
  readonly env: Env;
  readonly life: Life;
  readonly room: Room;
  readonly membership: Pick<Membership, 'peers'>;
  readonly leadership: Pick<Leadership, 'leader'>;
  readonly tree: Tree;
  readonly executor: Executor;
  readonly fetcher: TableFetcher;
  readonly healing: Pick<HealingHooks, 'materializeHeal'>;
}

/** How an owed table came into being. `sequence`: the log index of the seal or plan. */
type Origin = { readonly kind: 'produced'; readonly sequence: LogIndex } | { readonly kind: 'heal'; readonly removed: TableMeta };

const RETRY_MS = 300;
/** On a full disk: a table that was fetched in vain is fetched again whole. */
const FULL_RETRY_MS = 2_000;
const SOURCES_MS = 2_000;

export class Materializer {
  readonly #parts: MaterializerParts;
  /** Of tables that edits added since nothing was owed last. */
  readonly #origins = new Map<TableId, Origin>();
  /**
   * Own outputs that have their table's name already, while the sync that makes the name durable is
   * still to succeed.
   */
  readonly #named = new Set<TableId>();
  /** The source that was tried last: the next one has a higher id, or the lowest of all. */
  #lastSource = 0;
  readonly #work: Coalesced;

  constructor(parts: MaterializerParts) {
    this.#parts = parts;
    this.#work = new Coalesced(() => this.#drain(), (error) => parts.life.fail(error));
  }

  produced(sequence: LogIndex, added: readonly TableMeta[]): void {
    for (const table of added) {
      assert(table.birth.sequence === sequence, `S6 table ${table.id} comes from entry ${sequence}`);
      assert(!this.#origins.has(table.id), `S2 id ${table.id} is given out once`);
      this.#origins.set(table.id, { kind: 'produced', sequence });
    }
    if (added.length === 0) this.#parts.executor.close(sequence);
    this.kick();
  }

  healed(removed: TableMeta, added: TableMeta): void {
    assert(sameTable(removed, added) && removed.id !== added.id, `H3 a heal gives table ${removed.id} a new id and the same bytes`);
    assert(!this.#origins.has(added.id), `S2 id ${added.id} is given out once`);
    this.#origins.set(added.id, { kind: 'heal', removed });
    this.kick();
  }

  /** Another version takes the place of all that was applied so far. */
  reset(): void {
    this.#forget();
  }

  kick(): void {
    this.#work.kick();
  }

  stop(): Promise<void> {
    return this.#work.pause();
  }

  get #stopped(): boolean {
    return this.#work.paused;
  }

  async #drain(): Promise<void> {
    const { tree, env, room } = this.#parts;
    let stuck = false;
    while (!this.#stopped) {
      if (tree.owed().length === 0) {
        this.#forget();
        return;
      }
      const progress: boolean = (await this.#tryOwed()) || (stuck && (await this.#trySources()));
      stuck = !progress;
      if (stuck && !this.#stopped) await sleep(env.clock, room.short ? FULL_RETRY_MS : RETRY_MS);
    }
  }

  async #tryOwed(): Promise<boolean> {
    const { tree } = this.#parts;
    let progress = false;
    for (const { id } of [...tree.owed()]) {
      if (this.#stopped) return progress;
      // An edit that was applied meanwhile may have removed it.
      const table = tree.latest.table(id);
      if (table !== undefined && !tree.isLocal(id)) progress = (await this.#one(table)) || progress;
    }
    return progress;
  }

  /**
   * No way leads to what is owed. Then also what its production would need although no newer
   * version names it: when all members restart before one of them recorded the outputs of a plan,
   * they can only be made again from the start. In turn, and not for long: each may wait for a peer
   * that is away, and what is owed may be had by now.
   */
  async #trySources(): Promise<boolean> {
    const { clock } = this.#parts.env;
    const began = clock.now();
    const sources = this.#sources();
    const later = sources.filter(({ id }) => id > this.#lastSource);
    let progress = false;
    for (const table of [...later, ...sources.filter(({ id }) => id <= this.#lastSource)]) {
      if (this.#stopped || clock.now() - began > SOURCES_MS) return progress;
      if (!this.#sources().some(({ id }) => id === table.id)) continue;
      this.#lastSource = table.id;
      progress = (await this.#one(table)) || progress;
    }
    return progress;
  }

  #sources(): TableMeta[] {
    const { tree, executor } = this.#parts;
    const sources = new Map<TableId, TableMeta>();
    for (const table of executor.lacking()) sources.set(table.id, table);
    for (const { id } of tree.owed()) {
      const origin = this.#origins.get(id);
      if (origin?.kind !== 'heal' || tree.isLocal(origin.removed.id) || !tree.meta(origin.removed.id)) continue;
      assert(origin.removed.id !== id, `H3 a heal of table ${id} reads another file than it makes`);
      sources.set(origin.removed.id, origin.removed);
    }
    return [...sources.values()].sort((a, b) => a.id - b.id);
  }

  /** Nothing is owed: what jobs left whose outputs were never needed can go. */
  #forget(): void {
    const sequences = new Set<LogIndex>();
    for (const origin of this.#origins.values()) if (origin.kind === 'produced') sequences.add(origin.sequence);
    this.#origins.clear();
    this.#named.clear();
    for (const sequence of sequences) this.#parts.executor.close(sequence);
  }

  async #one(table: TableMeta): Promise<boolean> {
    const { tree, env, room, healing } = this.#parts;
    assert(!tree.isLocal(table.id), `S5 what is here already is not made anew: table ${table.id}`);
    const origin = this.#origins.get(table.id);
    try {
      if (origin?.kind === 'heal') {
        const how = await healing.materializeHeal(origin.removed, table);
        env.events.emit({ type: 'materialized', table: table.id, how, bytes: table.bytes });
      } else {
        const relinked = origin ? await this.#relink(origin.sequence, table) : false;
        if (!relinked) await this.#fetch(table);
        env.events.emit({ type: 'materialized', table: table.id, how: relinked ? 'relink' : 'fetch', bytes: table.bytes });
      }
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      if (isNoSpace(error)) room.ranOut(error, true);
      env.events.emit({ type: 'warning', message: 'a table is still owed', data: { table: table.id, why: messageOf(error) } });
      return false;
    }
    tree.markLocal(table.id);
    assert(tree.isLocal(table.id), `H5 table ${table.id} is here, and counts as here`);
    this.#settle(table.id, origin);
    return true;
  }

  /** The last output of a seal or plan is here: what else its job left can go. */
  #settle(id: TableId, origin: Origin | undefined): void {
    this.#origins.delete(id);
    if (origin?.kind !== 'produced') return;
    for (const other of this.#origins.values()) if (other.kind === 'produced' && other.sequence === origin.sequence) return;
    this.#parts.executor.close(origin.sequence);
  }

  /**
   * True if this member produced exactly these bytes. False also if a majority produced other bytes
   * than this member: then theirs are fetched (S6). If the name could not be made durable they are
   * still its own, under that name: members that all forgot theirs at one edit would ask each other
   * for ever.
   */
  async #relink(sequence: LogIndex, table: TableMeta): Promise<boolean> {
    const { executor, env } = this.#parts;
    await executor.settled(sequence);
    const own = executor.outputs(sequence)?.find((output) => output.birth.ordinal === table.birth.ordinal);
    assert(own === undefined || own.birth.sequence === sequence, `S6 what is relinked for entry ${sequence} was produced for it`);
    if (own === undefined || own.fileDigest !== table.fileDigest || own.rootDigest !== table.rootDigest) return false;
    assert(own.bytes === table.bytes && sameTable(own, table), `S6 table ${table.id} is output ${table.birth.ordinal} of entry ${sequence}`);
    const from = outputPath(sequence, table.birth.ordinal);
    const to = tablePath(table.id);
    if (!this.#named.has(table.id) || env.disk.sizeOf(to) !== table.bytes) {
      if (env.disk.sizeOf(from) !== table.bytes) return false;
      await env.disk.rename(from, to);
      this.#named.add(table.id);
    }
    await env.disk.syncDir('tables');
    this.#named.delete(table.id);
    return true;
  }

  async #fetch(table: TableMeta): Promise<void> {
    const { env, fetcher, leadership, membership } = this.#parts;
    const { peers } = membership;
    const first = leadership.leader;
    // Under a name of its own: a snapshot that is being received may want the same table, and would
    // see it half written.
    const path = `tables/fetch-${table.id}.tmp`;
    const to = tablePath(table.id);
    // Left by an earlier try, whose last sync failed, or by an earlier run: what of it proves good
    // need not come from a peer.
    const left = env.disk.sizeOf(to) === undefined ? {} : { local: to };
    await fetcher.fetchTable(table, path, { peers, ...(first === 0 ? {} : { from: first }), ...left });
    await env.disk.rename(path, to);
    await env.disk.syncDir('tables');
  }
}
