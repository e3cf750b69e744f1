/** All clients that hold leases, and the verdict on what became of these. */

import type { Entry } from '../../../raft/types.js';
import type { OpRecord } from '../../workload/history/history.js';
import type { Kv } from '../../workload/history/operation.js';
import type { StreamParts } from '../base/parts.js';
import { judgeEnd, judgeLease } from './judge-lease.js';
import { LateLeases, LEASE_LATE } from './late-leases.js';
import { LeaseClient } from './lease-client.js';
import { LeaseEnds } from './lease-ends.js';
import type { LeaseRecord } from './lease-record.js';
import { ServingTime } from './serving-time.js';

const LOOK_US = 250_000;
const MAX_FAULTS = 4;

export class LeaseHolders {
  readonly #parts: StreamParts;
  readonly #ends = new LeaseEnds();
  readonly #time: ServingTime;
  readonly #late: LateLeases;
  readonly #leases: LeaseRecord[] = [];
  readonly #clients: readonly LeaseClient[];

  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#time = new ServingTime(parts.nodes);
    this.#late = new LateLeases(this.#time, this.#ends);
    this.#clients = Array.from({ length: parts.settings.leaseClients }, (_, i) => new LeaseClient(parts, this.#late, this.#leases, i + 1));
  }

  start(): void {
    for (const client of this.#clients) client.start();
    this.#look();
  }

  stop(): void {
    for (const client of this.#clients) client.stop();
  }

  /** A node has applied an entry. */
  applied(node: number, replica: { readonly kv: { readonly revision: number } }, entry: Entry): void {
    const id = this.#ends.applied(node, replica, entry, this.#parts.world.nowUs);
    const lease = id === undefined ? undefined : this.#leases.find((each) => each.id === id);
    const early = lease && judgeEnd(lease, this.#ends.of(lease.id));
    if (early !== undefined) this.#parts.report('correctness', early.check, early.why, early.node);
  }

  #look(): void {
    const { world, report } = this.#parts;
    world.schedule(LOOK_US, () => {
      this.#time.look(world.nowUs);
      for (const why of this.#late.look()) report('correctness', LEASE_LATE, why, 0);
      this.#look();
    });
  }

  /** That have not ended. */
  open(): string[] {
    return this.#late.open.map((lease) => `${String(lease)} has not ended`);
  }

  /** `histories`: all versions of each key, oldest first. */
  verdict(histories: readonly (readonly Kv[])[]): void {
    const { history, coverage, report } = this.#parts;
    const byLease = new Map<number, OpRecord[]>();
    for (const record of history.records) {
      const { op, node } = record;
      if (node === 0 || (op.kind !== 'put' && op.kind !== 'revoke') || op.lease === 0) continue;
      const list = byLease.get(op.lease);
      if (list === undefined) byLease.set(op.lease, [record]);
      else list.push(record);
    }
    let faults = 0;
    for (const lease of this.#leases) {
      const ended = this.#ends.of(lease.id);
      coverage.branch(`lease ended by ${ended?.by ?? 'nobody'}`);
      const fault = judgeLease(lease, ended, byLease.get(lease.id) ?? [], histories);
      if (fault !== undefined && ++faults <= MAX_FAULTS) report('correctness', fault.check, fault.why, fault.node);
    }
  }
}
