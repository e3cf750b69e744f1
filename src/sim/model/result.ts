/** What a run says. Plain data: it crosses processes and is printed as JSON. */

import type { FaultAction } from './fault.js';
import type { SimProfile } from './profile.js';

/**
 * crash: an event threw, an assertion broke, a node stopped without a fault that excuses it.
 * correctness: data lost, wrong or forked. liveness: a healed cluster did not come to rest in time.
 */
export type ViolationKind = 'crash' | 'correctness' | 'liveness';

export interface Violation {
  readonly kind: ViolationKind;
  /**
   * Which check, in words that stay the same for the same bug: `linearizable`,
   * `one leader per term`, `byte-equal tables`.
   */
  readonly check: string;
  readonly message: string;
  /** Microseconds since the start of the run. */
  readonly atUs: number;
  /** 0: none in particular. */
  readonly node: number;
}

export interface SimOptions {
  readonly seed: number;
  readonly profile: SimProfile;
  /** Only these actions of the plan happen. Default: all. */
  readonly only?: readonly number[];
  /** No faults after this time: a shorter run of the same seed. Microseconds. */
  readonly faultsUntilUs?: number;
}

export interface SimResult {
  readonly seed: number;
  readonly profile: SimProfile;
  readonly passed: boolean;
  /** The first is the cause as far as anybody can tell. At most 16. */
  readonly violations: readonly Violation[];
  readonly nodes: number;
  /** Of cluster time. */
  readonly simSeconds: number;
  readonly operations: { readonly acknowledged: number; readonly unknown: number; readonly refused: number };
  /** Actions that struck. */
  readonly faults: { readonly disk: number; readonly network: number; readonly process: number; readonly members: number };
  readonly plan: readonly FaultAction[];
  readonly events: number;
  readonly digest: string;
  readonly coverage: Readonly<Record<string, number>>;
  /** Nodes that stopped for good, each with its typed error, and why that is excused. */
  readonly fenced: readonly { readonly node: number; readonly code: string; readonly excuse: string }[];
}
