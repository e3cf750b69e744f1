/**
 * A key of a memtable and its versions, as a reader holds them: made when they are asked for, and
 * read from the arena when they are looked at. What has been written stays as it is.
 */

import type { KeyRecords } from './key-records.js';

export class MemVersion {
  readonly #records: KeyRecords;
  readonly #address: number;

  constructor(records: KeyRecords, address: number) {
    this.#records = records;
    this.#address = address;
  }

  get sequence(): number {
    return this.#records.sequence(this.#address);
  }

  get revision(): number {
    return this.#records.revision(this.#address);
  }

  get sub(): number {
    return this.#records.sub(this.#address);
  }

  get tombstone(): boolean {
    return this.#records.tombstone(this.#address);
  }

  get liveDelta(): number {
    return this.#records.liveDelta(this.#address);
  }

  /** A view. */
  get value(): Uint8Array {
    return this.#records.value(this.#address);
  }

  get older(): MemVersion | undefined {
    const older = this.#records.older(this.#address);
    return older === 0 ? undefined : new MemVersion(this.#records, older);
  }
}

/** One key. */
export class MemRecord {
  readonly #records: KeyRecords;
  readonly #address: number;

  constructor(records: KeyRecords, address: number) {
    this.#records = records;
    this.#address = address;
  }

  /** As in an internal key, before the revision: a view. */
  get prefix(): Uint8Array {
    return this.#records.prefix(this.#address);
  }

  get newest(): MemVersion {
    return new MemVersion(this.#records, this.#records.newest(this.#address));
  }

  /** The newest version at or below `revision` that was written at or before `sequence`. */
  visible(revision: number, sequence: number): MemVersion | undefined {
    const records = this.#records;
    const version = records.visible(this.#address, revision, sequence);
    return version === 0 ? undefined : new MemVersion(records, version);
  }
}
