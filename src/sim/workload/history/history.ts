/** What every client asked, when, and what it was told: all that the judge may know of a run. */

import type { NodeId } from '../../../base/ids.js';
import type { Answer, Op } from './operation.js';

export type Outcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** Surely without effect. `code` is an EtcdErrorCode or `UNREACHABLE`. */
  | { readonly kind: 'refused'; readonly code: string }
  /** It may have taken effect, or may yet. `code`: as above, or `DEADLINE`, `DISCONNECTED`. */
  | { readonly kind: 'unknown'; readonly code: string };

export interface OpRecord {
  /** Position in the history. */
  readonly id: number;
  readonly client: number;
  readonly node: NodeId;
  readonly op: Op;
  /** Microseconds. */
  readonly callUs: number;
  /** Which life of the node took the request; 0: none did, as far as anybody knows. */
  life: number;
  /** Infinity: the outcome is unknown. */
  retUs: number;
  /** Undefined while the client waits. */
  outcome: Outcome | undefined;
  /** Asked when the healed cluster was at rest: even a serializable read is the newest then. */
  readonly atRest: boolean;
}

/** Clients from this number on have work of their own: nobody waits for so many answers of it. */
export const OWN_WORK = 2_000;

export interface Counts {
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
}

export class History {
  readonly #records: OpRecord[] = [];
  #acknowledged = 0;
  #unknown = 0;
  #refused = 0;
  #newest = 1;

  get records(): readonly OpRecord[] {
    return this.#records;
  }

  get counts(): Counts {
    return { acknowledged: this.#acknowledged, unknown: this.#unknown, refused: this.#refused };
  }

  /** The newest revision that any client was told. */
  get newest(): number {
    return this.#newest;
  }

  begin(client: number, node: NodeId, op: Op, callUs: number, atRest = false): OpRecord {
    const id = this.#records.length;
    const record: OpRecord = { id, client, node, op, callUs, life: 0, retUs: Infinity, outcome: undefined, atRest };
    this.#records.push(record);
    return record;
  }

  /** Later news of an operation that was given up change nothing. */
  settle(record: OpRecord, outcome: Outcome, nowUs: number): void {
    if (record.outcome !== undefined) return;
    record.outcome = outcome;
    if (outcome.kind !== 'unknown') record.retUs = nowUs;
    if (outcome.kind === 'answered' && outcome.answer.revision > this.#newest) this.#newest = outcome.answer.revision;
    if (record.client >= OWN_WORK) return;
    if (outcome.kind === 'unknown') this.#unknown++;
    else if (outcome.kind === 'refused') this.#refused++;
    else this.#acknowledged++;
  }
}
