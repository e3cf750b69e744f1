/** Keys that entries of the log may have changed, as many as are shown. */

import type { RequestOp } from '../../api/requests.js';
import { compareBytes, EMPTY, toHex } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import type { Entry } from '../../raft/types.js';
import { decodeLogRecord } from '../entry/entry.js';
import { isLeaseCommand, type ClientCommand } from '../kv/command.js';

export interface KeyRange {
  readonly key: Uint8Array;
  /** Empty: the one key. As in etcd: one zero byte means all from the key on. */
  readonly rangeEnd: Uint8Array;
}

const MAX_SHOWN = 100;

export class TouchedKeys {
  readonly #shown = new Map<string, KeyRange>();
  /** Entries of clients that were looked at. */
  #entries = 0;
  #more = false;

  /** What cannot be understood has no keys that are known. */
  add(entry: Entry): void {
    if (entry.type !== 'normal' || entry.data.length === 0) return;
    let command: ClientCommand;
    try {
      const record = decodeLogRecord(entry.data);
      if (record.kind !== 'kv' && record.kind !== 'auth' && record.kind !== 'lease') return;
      ({ command } = record);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return;
    }
    this.#entries++;
    if (command.kind !== 'compact' && command.kind !== 'auth' && !isLeaseCommand(command)) this.#addOp(command);
  }

  /** Ascending. */
  get ranges(): readonly KeyRange[] {
    return [...this.#shown.values()].sort((a, b) => compareBytes(a.key, b.key));
  }

  get entries(): number {
    return this.#entries;
  }

  /** There were more keys than are kept. */
  get more(): boolean {
    return this.#more;
  }

  #addOp(op: RequestOp): void {
    switch (op.kind) {
      case 'put': return this.#note({ key: op.request.key, rangeEnd: EMPTY });
      case 'delete-range': return this.#note({ key: op.request.key, rangeEnd: op.request.rangeEnd });
      case 'txn': {
        for (const ops of [op.request.success, op.request.failure]) for (const nested of ops) this.#addOp(nested);
        return;
      }
      case 'range':
      case 'empty': return;
    }
  }

  #note(range: KeyRange): void {
    const name = `${toHex(range.key)} ${toHex(range.rangeEnd)}`;
    if (this.#shown.size < MAX_SHOWN) this.#shown.set(name, range);
    else if (!this.#shown.has(name)) this.#more = true;
  }
}
