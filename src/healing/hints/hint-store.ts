/**
 * H2: this node's open hints, durable in `<data-dir>/hints`. A hint enters when a fault was confirmed and leaves only by
 * `end()`, which the owner calls when the replacement is proven on this disk or the table left the durable manifest.
 *
 * The file is replaced whole and atomically (write, sync, rename, sync of the directory): it is small and changes
 * rarely. What the disk refuses is tried again by itself, in a new file, because one whose sync failed takes nothing more. A file
 * that does not verify at a second reading either counts as empty, with a warning: a scrub finds every fault again.
 */

import { ByteReader, ByteWriter, equalBytes } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { CodecError, codeOf, messageOf } from '../../base/errors.js';
import type { DirectRead } from '../../base/disk.js';
import type { Env, Timer } from '../../base/env.js';
import type { NodeId, TableId } from '../../base/ids.js';
import { encodeHints, mergeHints, readHints, type Hint } from './hint.js';

export const HINTS_PATH = 'hints';
const TEMPORARY_PATH = 'hints.tmp';
const ROOT_DIR = '.';
const MAGIC = 0x314e_484b;
/** So many tables with faults at a time mean that the disk is failing, and people should know. */
const FLOOD_TABLES = 64;
/** More tables than this with faults means that the disk is gone; a scrub re-derives what was not recorded. */
export const HINTS_MAX = 4096;
const FILE_BYTES_MAX = 8 * 1024 * 1024;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;

/** A hint and when it last changed, in the store's own count. */
export interface OpenHint {
  readonly hint: Hint;
  /** Grows with every change of any hint: tells whether a fault was seen before or after something else. */
  readonly changedAt: number;
}

export function encodeHintFile(hints: readonly Hint[]): Uint8Array {
  const body = encodeHints(hints);
  return new ByteWriter(body.length + 12).u32(MAGIC).u32(body.length).raw(body).u32(crc32c(body)).finish();
}

/** Throws CodecError unless every byte is as it was written. */
export function decodeHintFile(bytes: Uint8Array): Hint[] {
  const input = new ByteReader(bytes, 'hints file');
  if (input.u32() !== MAGIC) throw new CodecError('hints file: wrong magic');
  const body = input.raw(input.u32());
  if (input.u32() !== crc32c(body)) throw new CodecError('hints file: wrong checksum');
  input.end();
  const inner = new ByteReader(body, 'hints file');
  const hints = readHints(inner);
  inner.end();
  return hints;
}

export class HintStore {
  readonly #env: Env;
  readonly #open = new Map<TableId, OpenHint>();
  #changes = 0;
  /** The change up to which the file is durable. */
  #saved = 0;
  #saving: Promise<void> | undefined;
  #warnedFlood = false;
  #retry: Timer | undefined;
  #retryMs = RETRY_FIRST_MS;
  #stopped = false;

  constructor(env: Env) {
    this.#env = env;
  }

  /** Takes in what this node kept; what was added since construction stays. */
  async load(node: NodeId): Promise<void> {
    const found = await readFile(this.#env);
    if (found === undefined) {
      this.#changes++;
      this.#save();
    }
    for (const hint of found ?? []) {
      if (hint.node !== node) continue;
      const known = this.#open.get(hint.tableId);
      const merged = known === undefined ? hint : mergeHints(hint, known.hint);
      this.#open.set(hint.tableId, { hint: merged, changedAt: known?.changedAt ?? 0 });
    }
  }

  /** Nothing is tried again by itself from here on. */
  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Grows with every change. */
  get changes(): number {
    return this.#changes;
  }

  /** Everything said so far is durable. */
  get saved(): boolean {
    return this.#saved === this.#changes;
  }

  get(table: TableId): OpenHint | undefined {
    return this.#open.get(table);
  }

  all(): OpenHint[] {
    return [...this.#open.values()];
  }

  /** True if the hint is new or says more than the one that was there. */
  add(hint: Hint): boolean {
    const known = this.#open.get(hint.tableId);
    const merged = known === undefined ? hint : mergeHints(known.hint, hint);
    if (known === undefined && this.#open.size >= HINTS_MAX) return false;
    const said = merged !== known?.hint;
    // A fault that was seen again is news even if the record stays: a proof made before it proves nothing.
    this.#changes++;
    this.#open.set(hint.tableId, { hint: merged, changedAt: this.#changes });
    if (this.#open.size >= FLOOD_TABLES) this.#warnFlood();
    if (said) this.#save();
    else if (this.#saved === this.#changes - 1) this.#saved = this.#changes;
    return said;
  }

  /** H2: only when the replacement is proven here, or the table left the durable manifest. */
  end(table: TableId): void {
    if (!this.#open.delete(table)) return;
    if (this.#open.size < FLOOD_TABLES / 2) this.#warnedFlood = false;
    this.#changes++;
    this.#save();
  }

  /** The same bytes, faults included, live under a new id now. One change: no crash leaves neither. */
  move(table: TableId, moved: Hint): void {
    this.#open.delete(table);
    const known = this.#open.get(moved.tableId);
    this.#changes++;
    const hint = known === undefined ? moved : mergeHints(known.hint, moved);
    this.#open.set(moved.tableId, { hint, changedAt: this.#changes });
    this.#save();
  }

  /** Resolves once everything said so far is durable; false if the disk refused (it is tried again later). */
  async durable(): Promise<boolean> {
    const wanted = this.#changes;
    while (this.#saved < wanted) {
      if (this.#saving === undefined) this.#save();
      const before = this.#saved;
      await this.#saving;
      if (this.#saved === before) return false;
    }
    return true;
  }

  /** Reads the file back past the caches and writes it again if it is not what it should be. False if it was not. */
  async check(): Promise<boolean> {
    if (!(await this.durable())) return false;
    const at = this.#changes;
    const { disk } = this.#env;
    const size = disk.sizeOf(HINTS_PATH);
    if (size === undefined && this.#open.size === 0) return true;
    const wanted = encodeHintFile(this.all().map((open) => open.hint));
    const found = size === undefined ? undefined : await this.#readBack(wanted.length + 1);
    if (at !== this.#changes || (found !== undefined && equalBytes(found, wanted))) return true;
    this.#changes++;
    await this.durable();
    return false;
  }

  async #readBack(length: number): Promise<Uint8Array | undefined> {
    try {
      return (await this.#env.disk.readDirect(HINTS_PATH, 0, length)).bytes;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }

  #save(): void {
    this.#saving ??= this.#saveAll().finally(() => {
      this.#saving = undefined;
    });
  }

  async #saveAll(): Promise<void> {
    while (this.#saved < this.#changes) {
      // One turn later, so that the faults of one burst share a write.
      await Promise.resolve();
      const at = this.#changes;
      const bytes = encodeHintFile(this.all().map((open) => open.hint));
      try {
        await this.#replaceFile(bytes);
      } catch (error) {
        this.#env.events.emit({ type: 'warning', message: 'hints could not be saved', data: { why: messageOf(error) } });
        this.#saveLater();
        return;
      }
      this.#saved = at;
    }
    this.#retryMs = RETRY_FIRST_MS;
  }

  #saveLater(): void {
    if (this.#stopped || this.#retry !== undefined) return;
    this.#retry = this.#env.clock.setTimer(this.#retryMs, () => {
      this.#retry = undefined;
      this.#save();
    });
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
  }

  async #replaceFile(bytes: Uint8Array): Promise<void> {
    const { disk } = this.#env;
    await disk.unlink(TEMPORARY_PATH);
    const file = await disk.open(TEMPORARY_PATH, 'create');
    try {
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      file.close();
    }
    await disk.rename(TEMPORARY_PATH, HINTS_PATH);
    await disk.syncDir(ROOT_DIR);
  }

  #warnFlood(): void {
    if (this.#warnedFlood) return;
    this.#warnedFlood = true;
    this.#env.events.emit({ type: 'disk-failed', what: 'tables', why: `faults in ${this.#open.size} tables at a time` });
  }
}

/** Undefined: damaged. */
async function readFile(env: Env): Promise<Hint[] | undefined> {
  const { disk, events } = env;
  try {
    const size = disk.sizeOf(HINTS_PATH);
    if (size === undefined) return [];
    if (size > FILE_BYTES_MAX) throw new CodecError(`hints file of ${size} bytes`);
    return decodeHintFile((await readTwice(env, size)).bytes);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    events.emit({ type: 'warning', message: 'the hints file is damaged and was dropped; a scrub finds its faults again', data: { why: messageOf(error) } });
    return undefined;
  }
}

/** A fault on the way must not cost what is good on the disk. */
async function readTwice({ disk }: Env, size: number): Promise<DirectRead> {
  try {
    const read = await disk.readDirect(HINTS_PATH, 0, size);
    decodeHintFile(read.bytes);
    return read;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return disk.readDirect(HINTS_PATH, 0, size);
  }
}
