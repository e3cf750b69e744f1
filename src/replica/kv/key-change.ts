/** One version of one key as a change: what a watch tells. Never changes. */

import type { Revision } from '../../base/ids.js';
import type { TreeWrite } from '../../storage/base/read-view.js';

/** Besides its bytes. */
const OVERHEAD_BYTES = 128;

export class KeyChange {
  readonly key: Uint8Array;
  readonly revision: Revision;
  /** Where it stands among the changes of its revision, from 0. */
  readonly sub: number;
  readonly tombstone: boolean;
  /** As in the tree: see `value-record.ts`. */
  readonly record: Uint8Array;

  /** Whose bytes are its own: neither a block nor an entry of the log is held by it. */
  constructor(key: Uint8Array, revision: Revision, sub: number, tombstone: boolean, record: Uint8Array) {
    this.key = key;
    this.revision = revision;
    this.sub = sub;
    this.tombstone = tombstone;
    this.record = record;
  }

  /** The record of a write is the state machine's own; its key lies in an entry of the log. */
  static of({ key, revision, sub, tombstone, value }: TreeWrite): KeyChange {
    return new KeyChange(key.slice(), revision, sub, tombstone, value);
  }

  /** Of memory, about. */
  get bytes(): number {
    return this.key.length + this.record.length + OVERHEAD_BYTES;
  }
}
