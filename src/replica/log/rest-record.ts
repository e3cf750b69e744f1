/**
 * Where the log ended when it was last at rest, in a small file of its own: three copies, as far
 * apart as those of the hard state, so that what damages a third of every member's files in stripes
 * leaves two of three members theirs.
 *
 * R6 a record that stands says two things: the log had all up to that batch, and nothing behind it
 * was ever acknowledged. So it is written once all of the log is synced and nothing is on its way,
 * and withdrawn, durably, before an append resolves, a mark counts or a mended log gets its name.
 * It is withdrawn from all three copies, and two that agree are needed to believe one: a copy whose
 * withdrawal was lost says nothing alone. What cannot be overwritten is removed, and while it can
 * be neither, the log takes nothing.
 *
 * A log that is written to has none: what it costs, one write when the log comes to rest and one
 * when it goes on, is not paid by a busy one. It is no part of the log's format: its name is one
 * that every program sweeps away before it writes to a log, and without it the log is judged by
 * what its segments say (`log-end.ts`).
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { LogIndex, Term } from '../../base/ids.js';

/** Where it stood still. */
export interface RestPoint {
  /** Of the last batch. */
  readonly sequence: number;
  /** Of the last entry, or of the one before the first. */
  readonly index: LogIndex;
  readonly term: Term;
  readonly commit: LogIndex;
}

interface RestSlot {
  /** Raised with every write of the file. */
  readonly number: number;
  /** Undefined: withdrawn. */
  readonly point: RestPoint | undefined;
}

export const REST_NAME = 'rest.tmp';
/** As of the hard state: neither one burst nor damage at a regular stride meets two. */
const SLOT_PAGES = [0, 5, 11] as const;
const PAGE_BYTES = 4096;
const FILE_BYTES = 12 * PAGE_BYTES;
const MUST_AGREE = 2;
const MAGIC = 0x5453_524b; // 'KRST'
const FORMAT = 1;
const USED = 56;

/** What the file says, from bytes alone. Undefined: nothing that can be believed. */
export function readRest(bytes: Uint8Array): RestPoint | undefined {
  return judge(SLOT_PAGES.map((page, slot) => decodeSlot(bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), slot)))?.point;
}

/** Where its copies lie in the file. */
export const REST_SLOTS: readonly { readonly offset: number; readonly length: number }[] =
  SLOT_PAGES.map((page) => ({ offset: page * PAGE_BYTES, length: USED }));

export class RestRecord {
  readonly #disk: Disk;
  readonly #dir: string;
  #number: number;
  /** What the next start could believe is there: not known to be gone. */
  #stands: boolean;
  /** What it says; undefined: that cannot be told, or it says nothing. */
  readonly found: RestPoint | undefined;

  private constructor(disk: Disk, dir: string, number: number, stands: boolean, found: RestPoint | undefined) {
    this.#disk = disk;
    this.#dir = dir;
    this.#number = number;
    this.#stands = stands;
    this.found = found;
  }

  /** Changes nothing. */
  static async open(disk: Disk, dir: string): Promise<RestRecord> {
    const path = `${dir}/${REST_NAME}`;
    if (disk.sizeOf(path) === undefined) return new RestRecord(disk, dir, 0, false, undefined);
    const slots: (RestSlot | undefined)[] = [];
    for (const [slot, page] of SLOT_PAGES.entries()) slots.push(await readSlot(disk, path, page, slot));
    const said = judge(slots);
    const number = Math.max(0, ...slots.map((slot) => slot?.number ?? 0));
    const isWithdrawn = slots.every((slot) => slot !== undefined && slot.point === undefined);
    return new RestRecord(disk, dir, number, !isWithdrawn, said?.point);
  }

  /** One may be believed at the next start. */
  get stands(): boolean {
    return this.#stands;
  }

  /**
   * All up to `point` is durable and proven, and nothing follows. A disk that refuses is no error:
   * there is none then.
   */
  async put(point: RestPoint): Promise<void> {
    assert(!this.#stands && point.sequence > 0, `R6 the log comes to rest once, after batch ${point.sequence}`);
    this.#stands = true;
    if (await this.#tried(this.#write(point))) return;
    if (await this.#tried(removeRest(this.#disk, this.#dir))) this.#stands = false;
  }

  /** Resolves when nobody can believe it any more. Rejects with DiskError. */
  async withdraw(): Promise<void> {
    if (!this.#stands) return;
    if (!(await this.#tried(this.#write(undefined)))) await removeRest(this.#disk, this.#dir);
    this.#stands = false;
  }

  async #write(point: RestPoint | undefined): Promise<void> {
    const slot = { number: ++this.#number, point };
    const path = `${this.#dir}/${REST_NAME}`;
    const isNew = this.#disk.sizeOf(path) !== FILE_BYTES;
    const file = await this.#disk.open(path, isNew ? 'create' : 'write');
    try {
      await fill(file, slot, isNew);
    } finally {
      file.close();
    }
    if (isNew) await this.#disk.syncDir(this.#dir);
  }

  async #tried(work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return false;
    }
  }
}

/** Durably. Rejects with DiskError. */
export async function removeRest(disk: Disk, dir: string): Promise<void> {
  const path = `${dir}/${REST_NAME}`;
  if (disk.sizeOf(path) === undefined) return;
  await disk.unlink(path);
  await disk.syncDir(dir);
}

async function fill(file: DiskFile, slot: RestSlot, isNew: boolean): Promise<void> {
  if (isNew) await file.write(new Uint8Array(FILE_BYTES), 0);
  for (const [i, page] of SLOT_PAGES.entries()) await file.write(encodeSlot(slot, i), page * PAGE_BYTES);
  await file.sync();
}

/** Past the caches. */
async function readSlot(disk: Disk, path: string, page: number, slot: number): Promise<RestSlot | undefined> {
  try {
    return decodeSlot((await disk.readDirect(path, page * PAGE_BYTES, PAGE_BYTES)).bytes, slot);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

/** The newest, if enough copies say it. */
function judge(slots: readonly (RestSlot | undefined)[]): RestSlot | undefined {
  const sound = slots.filter((slot) => slot !== undefined);
  const newest = Math.max(0, ...sound.map(({ number }) => number));
  const [first, ...others] = sound.filter(({ number }) => number === newest);
  if (first === undefined || others.length + 1 < MUST_AGREE || !others.every((other) => isSame(first.point, other.point))) return undefined;
  return first;
}

function isSame(a: RestPoint | undefined, b: RestPoint | undefined): boolean {
  return a?.sequence === b?.sequence && a?.index === b?.index && a?.term === b?.term && a?.commit === b?.commit;
}

function encodeSlot({ number, point }: RestSlot, slot: number): Uint8Array {
  const out = new ByteWriter(PAGE_BYTES).u32(MAGIC).u32(0).u32(FORMAT).u53(number).u32(point === undefined ? 0 : 1);
  out.u53(point?.sequence ?? 0).u53(point?.index ?? 0).u53(point?.term ?? 0).u53(point?.commit ?? 0);
  assert(out.length === USED, `R6 a rest record takes ${USED} bytes, not ${out.length}`);
  out.patchU32(4, crc32c(out.view(), slot, 8, USED));
  return out.zeros(PAGE_BYTES - out.length).finish();
}

function decodeSlot(bytes: Uint8Array, slot: number): RestSlot | undefined {
  if (bytes.length < USED) return undefined;
  const input = new ByteReader(bytes.subarray(0, USED), 'rest record');
  if (input.u32() !== MAGIC || input.u32() !== crc32c(bytes, slot, 8, USED) || input.u32() !== FORMAT) return undefined;
  const [number, stands] = [input.u53(), input.u32() === 1];
  const [sequence, index, term, commit] = [input.u53(), input.u53(), input.u53(), input.u53()];
  return { number, point: stands ? { sequence, index, term, commit } : undefined };
}
