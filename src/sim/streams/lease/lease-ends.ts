/**
 * When each lease ended, as the log says: at the first entry that revokes it, when the first node
 * had applied that. It is what no clock of the store has a say in.
 */

import type { Entry } from '../../../raft/types.js';
import { decodeLogRecord } from '../../../replica/entry/entry.js';

export interface Ended {
  /** Since the start of the run. */
  readonly atUs: number;
  /** Of the store, once it was gone. */
  readonly revision: number;
  /** Its time was up, or a client has revoked it. */
  readonly by: 'time' | 'client';
  readonly node: number;
}

export class LeaseEnds {
  readonly #ended = new Map<number, Ended>();
  #index = 0;

  /** Called with each entry that a node has applied. Gives the lease that it ends. */
  applied(
    node: number, replica: { readonly kv: { readonly revision: number } }, { index, type, data }: Entry, nowUs: number,
  ): number | undefined {
    if (index <= this.#index) return undefined;
    this.#index = index;
    if (type !== 'normal' || data.length === 0) return undefined;
    const record = decodeLogRecord(data);
    if ((record.kind !== 'lease' && record.kind !== 'lease-time') || record.command.kind !== 'lease-revoke') return undefined;
    const id = Number(record.command.request.id);
    if (this.#ended.has(id)) return undefined;
    this.#ended.set(id, { atUs: nowUs, revision: replica.kv.revision, by: record.kind === 'lease' ? 'client' : 'time', node });
    return id;
  }

  of(id: number): Ended | undefined {
    return this.#ended.get(id);
  }
}
