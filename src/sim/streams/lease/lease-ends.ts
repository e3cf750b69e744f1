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
  /** That revision is its own: keys went with it. False also if that was not seen. */
  readonly tookKeys: boolean;
  /** Its time was up, or a client has revoked it. */
  readonly by: 'time' | 'client';
  readonly node: number;
}

export class LeaseEnds {
  readonly #ended = new Map<number, Ended>();
  #index = 0;
  /** As of that index. */
  #revision = 0;

  /** Called with each entry that a node has applied. Gives the lease that it ends. */
  applied(
    node: number, replica: { readonly kv: { readonly revision: number } }, { index, type, data }: Entry, nowUs: number,
  ): number | undefined {
    if (index <= this.#index) return undefined;
    const { revision } = replica.kv;
    // What comes with a snapshot nobody was seen to apply.
    const tookKeys = index === this.#index + 1 && revision > this.#revision;
    this.#index = index;
    this.#revision = revision;
    if (type !== 'normal' || data.length === 0) return undefined;
    const record = decodeLogRecord(data);
    if ((record.kind !== 'lease' && record.kind !== 'lease-time') || record.command.kind !== 'lease-revoke') return undefined;
    const id = Number(record.command.request.id);
    if (this.#ended.has(id)) return undefined;
    this.#ended.set(id, { atUs: nowUs, revision, tookKeys, by: record.kind === 'lease' ? 'client' : 'time', node });
    return id;
  }

  of(id: number): Ended | undefined {
    return this.#ended.get(id);
  }
}
