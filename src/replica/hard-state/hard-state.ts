/** Skeleton: the exported shape of the hard state. */

import type { Disk } from '../../base/disk.js';
import type { Digest128, NodeId, Term } from '../../base/ids.js';
import { HardStateError } from './errors.js';

export interface HardStateRecord {
  /** Raised by one with every update. */
  readonly sequence: number;
  readonly term: Term;
  /** 0: none in this term. */
  readonly vote: NodeId;
  readonly clusterId: bigint;
  readonly memberId: NodeId;
  /** Raised at each start; part of every proposal's id. */
  readonly incarnation: number;
  /** 0: there is no manifest yet. */
  readonly manifestGeneration: number;
  /** Of the manifest's first record; 32 zeros if there is none. */
  readonly manifestDigest: Digest128;
}

export type HardStatePatch = Partial<Omit<HardStateRecord, 'sequence' | 'clusterId' | 'memberId'>>;

export class HardStateStore {
  static open(_disk: Disk, _path = 'hardstate'): Promise<HardStateStore> {
    return Promise.reject(new HardStateError('UNREADABLE', 'not built yet'));
  }
  get current(): HardStateRecord | undefined { return undefined; }
  create(_initial: Omit<HardStateRecord, 'sequence'>): Promise<void> { return Promise.resolve(); }
  update(_patch: HardStatePatch): Promise<void> { return Promise.resolve(); }
  close(): Promise<void> { return Promise.resolve(); }
}
