/**
 * H2: this node's open hints, durable in `<data-dir>/hints`. A hint enters with the confirmation of
 * its fault (H1) and leaves with the evidence that it may (H2). The store is the one writer;
 * whoever must act on a change subscribes.
 *
 * The file is replaced whole and atomically: it is small and changes rarely. What the disk refuses
 * is tried again by itself, in a new file, because one whose sync failed takes nothing more.
 */

import { assert, must } from '../../base/assert.js';
import { equalBytes } from '../../base/bytes.js';
import { Coalesced } from '../../base/coalesced.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Env, Timer } from '../../base/env.js';
import type { Digest128, NodeId, TableId } from '../../base/ids.js';
import { replaceFile } from '../../base/replace-file.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { HintKind } from '../status/hint-status.js';
import { isConfirmed, type Confirmation } from './confirmed-fault.js';
import { assertMayEnd, type HintEnd } from './hint-end.js';
import { encodeHintFile, HINTS_PATH, readHintFile } from './hint-file.js';
import { mergeHints, severity, type Hint } from './hint.js';

/** So many tables with faults at a time mean that the disk is failing, and people should know. */
const FLOOD_TABLES = 64;
/**
 * More tables than this with faults means that the disk is gone; a scrub re-derives what was not
 * recorded.
 */
const HINTS_MAX = 4096;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;

/**
 * opened: new, or worse than before, and not durable yet. moved: its bytes, faults included, have a
 * new id.
 */
type HintChange = 'opened' | 'moved' | 'ended';

export class HintStore {
  readonly #env: Env;
  readonly #open = new Map<TableId, Hint>();
  /** How many of them are about a table of these bytes. */
  readonly #bytes = new Map<Digest128, number>();
  readonly #subscribers: ((change: HintChange) => void)[] = [];
  /** Whose hints these are; undefined until they are loaded. */
  #node: NodeId | undefined;
  #changes = 0;
  /** The change up to which the file is durable. */
  #saved = 0;
  readonly #saving = new Coalesced(() => this.#saveOnce());
  #warnedFlood = false;
  #retry: Timer | undefined;
  #retryMs = RETRY_FIRST_MS;
  #stopped = false;

  constructor(env: Env) {
    this.#env = env;
  }

  /** Takes in what this node kept; what was added since construction stays. */
  async load(node: NodeId): Promise<void> {
    assert(this.#node === undefined, `H2 the hints of node ${this.#node} are loaded once`);
    const found = await readHintFile(this.#env);
    this.#node = node;
    if (found === undefined) {
      this.#changes++;
      this.#saving.kick();
    }
    for (const hint of found ?? []) {
      if (hint.node !== node) continue;
      const known = this.#open.get(hint.tableId);
      if (known === undefined && this.full) break;
      this.#put(known === undefined ? hint : mergeHints(hint, known));
    }
  }

  /** After each change: at once, in order of subscription. */
  subscribe(subscriber: (change: HintChange) => void): void {
    this.#subscribers.push(subscriber);
  }

  /** Nothing is tried again by itself from here on. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Everything said so far is durable. */
  get saved(): boolean {
    return this.#saved === this.#changes;
  }

  /** No other table's hint finds room: that many faulty tables mean that the disk is gone. */
  get full(): boolean {
    return this.#open.size >= HINTS_MAX;
  }

  get(table: TableId): Hint | undefined {
    return this.#open.get(table);
  }

  all(): Hint[] {
    return [...this.#open.values()];
  }

  /** Is any hint about a table of these bytes? */
  hasBytes(fileDigest: Digest128): boolean {
    return this.#bytes.has(fileDigest);
  }

  #put(hint: Hint): void {
    const before = this.#open.get(hint.tableId)?.fileDigest;
    this.#open.set(hint.tableId, hint);
    if (before === hint.fileDigest) return;
    this.#bytes.set(hint.fileDigest, (this.#bytes.get(hint.fileDigest) ?? 0) + 1);
    if (before !== undefined) this.#forget(before);
  }

  /** False: there is none. */
  #take(table: TableId): boolean {
    const hint = this.#open.get(table);
    if (hint !== undefined) this.#forget(hint.fileDigest);
    return this.#open.delete(table);
  }

  #forget(fileDigest: Digest128): void {
    const others = must(this.#bytes.get(fileDigest), `H2 hints about the bytes ${fileDigest} are counted`) - 1;
    if (others > 0) this.#bytes.set(fileDigest, others);
    else this.#bytes.delete(fileDigest);
  }

  /** Does a hint say of the block at `offset` that it is at least this bad? */
  covers(meta: TableMeta, kind: HintKind, offset: number): boolean {
    const hint = this.#open.get(meta.id);
    if (hint === undefined || severity(hint.kind) < severity(kind)) return false;
    return hint.offsets === undefined || hint.offsets.includes(offset);
  }

  /**
   * True if the hint is new or says more than the one that was there. H1: only what was confirmed.
   */
  add(hint: Hint, confirmation: Confirmation): boolean {
    this.#checkEntry(hint, confirmation);
    const known = this.#open.get(hint.tableId);
    if (known === undefined && this.full) return false;
    const merged = known === undefined ? hint : mergeHints(known, hint);
    const said = merged !== known;
    this.#put(merged);
    // What was seen again says nothing new. While the file is being written it counts all the same:
    // one write more.
    if (said || this.#saving.running) {
      this.#changes++;
      this.#saving.kick();
    }
    if (this.#open.size >= FLOOD_TABLES) this.#warnFlood();
    if (!said) return false;
    this.#tell('opened', hint, 'open');
    return true;
  }

  /**
   * H2: only when the replacement is proven here, or the table left the durable manifest: `end` is
   * the evidence.
   */
  end(hint: Hint, end: HintEnd): void {
    assertMayEnd(hint, end);
    const wasOpen = this.#take(hint.tableId);
    assert(wasOpen, `H2 the hint of table ${hint.tableId} ends once`);
    if (this.#open.size < FLOOD_TABLES / 2) this.#warnedFlood = false;
    this.#changes++;
    this.#saving.kick();
    this.#tell('ended', hint, 'done');
  }

  /**
   * The same bytes, faults included, live under a new id now. One change: no crash leaves neither.
   */
  move(from: Hint, to: Hint, confirmation: Confirmation): void {
    this.#checkEntry(to, confirmation);
    assert(from.fileDigest === to.fileDigest && from.tableId !== to.tableId, `H2 the bytes of table ${from.tableId} have the new id ${to.tableId}`);
    const wasOpen = this.#take(from.tableId);
    assert(wasOpen, `H2 the hint of table ${from.tableId} is there to follow its bytes`);
    const known = this.#open.get(to.tableId);
    this.#changes++;
    this.#put(known === undefined ? to : mergeHints(known, to));
    this.#saving.kick();
    this.#tell('moved', { ...from, tableId: to.tableId }, 'open');
  }

  /**
   * Resolves once everything said so far is durable; false if the disk refused (it is tried again
   * later).
   */
  async durable(): Promise<boolean> {
    const wanted = this.#changes;
    while (this.#saved < wanted) {
      const before = this.#saved;
      if (!this.#saving.running) this.#saving.kick();
      await this.#saving.idle();
      if (this.#saved === before) return false;
    }
    return true;
  }

  /**
   * Reads the file back past the caches and writes it again if it is not what it should be. False
   * if it was not.
   */
  async check(): Promise<boolean> {
    if (!(await this.durable())) return false;
    const at = this.#changes;
    const { disk } = this.#env;
    const size = disk.sizeOf(HINTS_PATH);
    if (size === undefined && this.#open.size === 0) return true;
    const wanted = encodeHintFile(this.all());
    const found = size === undefined ? undefined : await this.#readBack(wanted.length + 1);
    if (at !== this.#changes || (found !== undefined && equalBytes(found, wanted))) return true;
    this.#changes++;
    await this.durable();
    return false;
  }

  #checkEntry(hint: Hint, confirmation: Confirmation): void {
    assert(isConfirmed(confirmation), `H1 a hint of table ${hint.tableId} was confirmed: ${confirmation.by}`);
    assert(this.#node === undefined || hint.node === this.#node, `H1 node ${this.#node} keeps hints of its own files, not of node ${hint.node}`);
  }

  #tell(change: HintChange, { tableId, node, kind }: Hint, state: 'open' | 'done'): void {
    assert(this.#open.size <= HINTS_MAX, `H2 ${this.#open.size} hints are open`);
    this.#env.events.emit({ type: 'hint', table: tableId, node, kind, state });
    assert(this.#open.has(tableId) === (state === 'open'), `H2 the hint of table ${tableId} is ${state}`);
    for (const subscriber of this.#subscribers) subscriber(change);
  }

  async #readBack(length: number): Promise<Uint8Array | undefined> {
    try {
      return (await this.#env.disk.readDirect(HINTS_PATH, 0, length)).bytes;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }

  async #saveOnce(): Promise<void> {
    if (this.saved) return;
    // One turn later, so that the faults of one burst share a write.
    await Promise.resolve();
    const at = this.#changes;
    assert(at > this.#saved, `H2 change ${at} is not durable yet, only ${this.#saved} are`);
    const { disk, events } = this.#env;
    const bytes = encodeHintFile(this.all());
    try {
      await replaceFile(disk, HINTS_PATH, bytes, { unlinkFirst: true });
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      events.emit({ type: 'warning', message: 'hints could not be saved', data: { why: messageOf(error) } });
      this.#saveLater();
      return;
    }
    this.#saved = at;
    assert(this.#saved <= this.#changes, `H2 ${this.#saved} changes are durable, of ${this.#changes}`);
    this.#retryMs = RETRY_FIRST_MS;
  }

  #saveLater(): void {
    if (this.#stopped || this.#retry !== undefined) return;
    this.#retry = this.#env.clock.setTimer(this.#retryMs, () => {
      this.#retry = undefined;
      this.#saving.kick();
    });
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
    assert(this.#retryMs > RETRY_FIRST_MS, `H2 what the disk refused is tried again in ${this.#retryMs} ms`);
  }

  #warnFlood(): void {
    if (this.#warnedFlood) return;
    this.#warnedFlood = true;
    this.#env.events.emit({ type: 'disk-failed', what: 'tables', why: `faults in ${this.#open.size} tables at a time` });
  }
}
