/**
 * What this node has promised: its term and its vote, whose data directory this is, and which
 * manifest is the newest. R2 an update is in at least three of four slots and synced before its
 * promise resolves; the term never goes back and a vote is never changed within a term.
 *
 * Opening (R5): a promised record is in three slots, so damage to any two leaves at least one copy
 * of it and hides no newer one. Two copies must agree on the highest sequence. A single copy that a
 * crash left of a write which can never have been in three slots was promised to nobody and does
 * not count; anything else is UNREADABLE, and never guessed.
 *
 * While it is open (`scrub`), memory holds what was last synced: so copies that go bad are written
 * anew from it, however many are left, and so is a file that is gone or was put in its place. What
 * was sent rested on a record that was durable then; a member that starts before it is mended finds
 * too few copies, and does not vote. What rests on a newer record is sent once `update` resolves,
 * which waits for the new file. That one is whole before it takes the name of the old one, which is
 * written to no more from then on; if it is not known which of both has the name, nothing more is
 * promised. What cannot be made for want of room or by an error leaves all as it was.
 *
 * C1 a full disk, which may refuse room also for what is overwritten (file systems that copy on
 * write do), ends nobody: an update that finds none promises nothing, and may be asked for again.
 * What the file then holds is not known, so the next one goes into a new file.
 */

import { acquiring } from '../../base/acquiring.js';
import { assert, must } from '../../base/assert.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { HardStateError } from './errors.js';
import { decodeSlot, encodeSlot, FILE_BYTES, SLOT_BYTES, SLOT_PAGES, slotOffset, type HardStateRecord } from './slots.js';

export type { HardStateRecord } from './slots.js';

/** A higher term without a vote means: none in it yet. */
export type HardStatePatch = Partial<Omit<HardStateRecord, 'sequence' | 'clusterId' | 'memberId'>>;

/** Of four. */
const MUST_HOLD = 3;
const MUST_AGREE = 2;

export class HardStateStore {
  readonly #disk: Disk;
  readonly #path: string;
  #file: DiskFile | undefined;
  #durable: HardStateRecord | undefined;
  /** What the updates so far add up to; ahead of `#durable` while a write is on its way. */
  #intended: HardStateRecord | undefined;
  #writing: Promise<void> | undefined;
  #failure: HardStateError | undefined;
  /** An update into the file, or a new file's name, found no room. */
  #spoiled = false;

  private constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  /**
   * Throws HardStateError UNREADABLE, WRITE_FAILED, DiskError NO_SPACE; the file is not open then.
   */
  static open(disk: Disk, path = 'hardstate'): Promise<HardStateStore> {
    return acquiring(async (keep) => {
      const store = keep(new HardStateStore(disk, path));
      await store.#open();
      return store;
    });
  }

  async #open(): Promise<void> {
    const [disk, path] = [this.#disk, this.#path];
    await disk.unlink(`${path}.tmp`);
    if (disk.sizeOf(path) === undefined) return;
    const slots = await readSlots(disk, path);
    const record = judge(slots, path);
    this.#file = await disk.open(path, 'write');
    this.#durable = this.#intended = record;
    const whole = disk.sizeOf(path) === FILE_BYTES && slots.every((slot) => slot?.sequence === record.sequence);
    // Damage must not add up, and the number of a write that was given up must not come again with
    // other contents.
    if (whole) return;
    this.#intended = { ...record, sequence: Math.max(...slots.map((slot) => slot?.sequence ?? 0)) + 1 };
    await this.#flush();
  }

  /** What is durable; undefined before `create`. */
  get current(): HardStateRecord | undefined {
    return this.#durable;
  }

  /** The first record of a new member. Throws HardStateError EXISTS, DiskError NO_SPACE. */
  async create(initial: Omit<HardStateRecord, 'sequence'>): Promise<void> {
    if (this.#file !== undefined) throw new HardStateError('EXISTS', `${this.#path} exists: this data directory belongs to a member already`);
    const record = { ...initial, sequence: 1 };
    const temporary = `${this.#path}.tmp`;
    try {
      await this.#writeWhole(temporary, record);
      await this.#disk.rename(temporary, this.#path);
      await this.#disk.syncDir('');
      this.#file = await this.#disk.open(this.#path, 'write');
    } catch (error) {
      throw this.#fail(error);
    }
    this.#durable = this.#intended = record;
  }

  /**
   * Resolves when this patch is durable. Updates that arrive while one is being written share the
   * next write. Rejects with HardStateError WRITE_FAILED, and with DiskError NO_SPACE: it may have
   * become durable, or does with another one.
   */
  async update(patch: HardStatePatch): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const target = (this.#intended = merge(must(this.#intended, 'hard state is created before it is updated'), patch));
    while (must(this.#durable, 'hard state is open').sequence < target.sequence) {
      this.#writing ??= this.#flush().finally(() => (this.#writing = undefined));
      await this.#writing;
    }
  }

  /**
   * Looks at all copies past the caches, twice where one is bad, and makes the file anew if it
   * still is. Rejects with HardStateError WRITE_FAILED.
   */
  async scrub(): Promise<HardStateScrub> {
    const faulty = await this.#faulty();
    const confirmed = faulty.length === 0 ? faulty : (await this.#faulty()).filter((slot) => faulty.includes(slot));
    if (confirmed.length === 0 || this.#file === undefined) return { faulty: 0 };
    const asked = must(this.#intended, 'hard state is open');
    this.#intended = { ...asked, sequence: asked.sequence + 1 };
    let why: string | undefined;
    while (this.#writing !== undefined) await this.#writing;
    await (this.#writing = this.#replace().then((failed) => void (why = failed)).finally(() => (this.#writing = undefined)));
    return { faulty: confirmed.length, ...(why === undefined ? {} : { why }) };
  }

  /** Which copies do not say what is durable; none if that changes meanwhile. */
  async #faulty(): Promise<number[]> {
    await this.#writing;
    const durable = this.#durable;
    if (this.#file === undefined || durable === undefined) return [];
    const slots = await readSlots(this.#disk, this.#path).catch((error: unknown) => {
      if (codeOf(error) === undefined) throw error;
      return [];
    });
    if (this.#durable !== durable || this.#writing !== undefined) return [];
    return [...SLOT_PAGES.keys()].filter((slot) => {
      const found = slots[slot];
      return found === undefined || !sameRecord(found, durable);
    });
  }

  /** Why it came to nothing; undefined: a new file has the name. */
  async #replace(): Promise<string | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#file === undefined) return 'it was closed meanwhile';
    const record = must(this.#intended, 'hard state is open');
    try {
      await this.#prepare(record);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return messageOf(error);
    }
    try {
      await this.#install(record);
    } catch (error) {
      if (codeOf(error) !== 'NO_SPACE') throw error;
      return messageOf(error);
    }
    return undefined;
  }

  /** A new file, whole and durable, that has not got the name yet. */
  async #prepare(record: HardStateRecord): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    try {
      await this.#writeWhole(temporary, record);
    } catch (error) {
      await this.#disk.unlink(temporary).catch(() => undefined);
      throw error;
    }
  }

  async #install(record: HardStateRecord): Promise<void> {
    try {
      await this.#disk.rename(`${this.#path}.tmp`, this.#path);
      await this.#disk.syncDir('');
      const before = this.#file;
      this.#file = await this.#disk.open(this.#path, 'write');
      before?.close();
    } catch (error) {
      this.#spoiled = true;
      throw this.#fail(error);
    }
    this.#spoiled = false;
    this.#promised(record);
  }

  async #writeWhole(path: string, record: HardStateRecord): Promise<void> {
    const file = await this.#disk.open(path, 'create');
    try {
      file.writeSync(new Uint8Array(FILE_BYTES), 0);
      writeSlots(file, record);
      await file.sync();
    } finally {
      file.close();
    }
  }

  async close(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    this.#file?.close();
    this.#file = undefined;
  }

  async #flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const record = must(this.#intended, 'hard state is created before it is written');
    const file = must(this.#file, 'hard state is open');
    if (this.#spoiled) return this.#flushAnew(record);
    try {
      writeSlots(file, record);
      await file.sync();
    } catch (error) {
      this.#spoiled = codeOf(error) === 'NO_SPACE';
      throw this.#fail(error);
    }
    this.#promised(record);
  }

  async #flushAnew(record: HardStateRecord): Promise<void> {
    try {
      await this.#prepare(record);
    } catch (error) {
      throw this.#fail(error);
    }
    await this.#install(record);
  }

  #promised(record: HardStateRecord): void {
    const before = must(this.#durable, 'hard state is open');
    assert(record.term > before.term || (record.term === before.term && (before.vote === 0 || record.vote === before.vote)),
      'R2 the term never goes back and a vote stands');
    this.#durable = record;
  }

  /** A want of room may pass. */
  #fail(error: unknown): unknown {
    return codeOf(error) === 'NO_SPACE' ? error : this.#giveUp(error);
  }

  #giveUp(error: unknown): unknown {
    if (codeOf(error) === undefined || error instanceof HardStateError) return error;
    this.#failure = new HardStateError('WRITE_FAILED', `${this.#path} cannot be written; this member promises nothing more until it is restarted: ${messageOf(error)}`,
      { path: this.#path }, error);
    return this.#failure;
  }
}

export interface HardStateScrub {
  /** Copies that were bad, out of four. */
  readonly faulty: number;
  /** They still are, for this reason; undefined: all are good again. */
  readonly why?: string;
}

/** What its copies say, and what of that counts: nothing is written. */
export interface HardStateView {
  /** One per copy; undefined where it is damaged. */
  readonly slots: readonly (HardStateRecord | undefined)[];
  /** Undefined: it is not known what was promised. */
  readonly record: HardStateRecord | undefined;
}

/** Undefined: there is no such file. */
export async function viewHardState(disk: Disk, path = 'hardstate'): Promise<HardStateView | undefined> {
  if (disk.sizeOf(path) === undefined) return undefined;
  const slots = await readSlots(disk, path);
  try {
    return { slots, record: judge(slots, path) };
  } catch (error) {
    if (!(error instanceof HardStateError)) throw error;
    return { slots, record: undefined };
  }
}

function merge(before: HardStateRecord, patch: HardStatePatch): HardStateRecord {
  const raised = (patch.term ?? before.term) > before.term;
  const after = { ...before, ...(raised ? { vote: 0 } : {}), ...patch, sequence: before.sequence + 1 };
  assert(after.term >= before.term, `R2 the term never goes back: ${after.term} after ${before.term}`);
  assert(raised || before.vote === 0 || after.vote === before.vote, `R2 a vote stands: ${after.vote} instead of ${before.vote} in term ${after.term}`);
  return after;
}

/** Into all slots, of which three must take it. */
function writeSlots(file: DiskFile, record: HardStateRecord): void {
  let written = 0;
  let failure: unknown;
  for (let slot = 0; slot < SLOT_PAGES.length; slot++) {
    try {
      file.writeSync(encodeSlot(record, slot), slotOffset(slot));
      written++;
    } catch (error) {
      failure = error;
    }
  }
  if (written < MUST_HOLD) throw failure;
}

/** Past the caches; what cannot be read is damaged. */
async function readSlots(disk: Disk, path: string): Promise<(HardStateRecord | undefined)[]> {
  const slots: (HardStateRecord | undefined)[] = [];
  for (let slot = 0; slot < SLOT_PAGES.length; slot++) {
    try {
      slots.push(decodeSlot((await disk.readDirect(path, slotOffset(slot), SLOT_BYTES)).bytes, slot));
    } catch (error) {
      if (codeOf(error) !== 'READ_FAILED') throw error;
      slots.push(undefined);
    }
  }
  return slots;
}

function judge(slots: readonly (HardStateRecord | undefined)[], path: string): HardStateRecord {
  const sound = slots.filter((slot) => slot !== undefined).sort((a, b) => b.sequence - a.sequence);
  const damaged = slots.length - sound.length;
  let rest = sound;
  while (rest.length > 0) {
    const highest = rest[0] as HardStateRecord;
    const copies = rest.filter((slot) => slot.sequence === highest.sequence);
    if (copies.length >= MUST_AGREE && copies.every((copy) => sameRecord(copy, highest))) return highest;
    // Even with every damaged slot it was never in three: nobody was told of it.
    if (copies.length > 1 || copies.length + damaged >= MUST_HOLD) break;
    rest = rest.slice(copies.length);
  }
  // R5 nothing is promised on the strength of what may be an older copy.
  throw new HardStateError(
    'UNREADABLE',
    `${path}: ${damaged} of ${slots.length} copies are damaged and the others do not agree, so it is not known what this member has promised. ` +
      'It must not vote and does not start. The other members go on serving. Never copy this file from another member: ' +
      'kintsugi recover --data-dir DIR, and start it again: it is re-admitted as a new member in its place',
    { path, damaged, sequences: slots.map((slot) => slot?.sequence ?? null) },
  );
}

function sameRecord(a: HardStateRecord, b: HardStateRecord): boolean {
  return (Object.keys(a) as (keyof HardStateRecord)[]).every((key) => a[key] === b[key]);
}
