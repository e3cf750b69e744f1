/**
 * Brings this node's open hints to whoever leads. Nothing is lost with a message, an answer or a
 * leader (H2): hints stay where they are, and all that are open are sent again every few seconds
 * and whenever the leader or term changes. Receiving one twice changes nothing. If this node leads,
 * the hints go straight into its queue.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import type { Env, Timer } from '../../base/env.js';
import type { NodeId, TableId } from '../../base/ids.js';
import type { HealCounters } from '../status/heal-counters.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import type { StopToken } from '../base/stop-token.js';
import type { HintStore } from './hint-store.js';
import { encodeHints, readHints, type Hint } from './hint.js';

export const HEAL_HINTS_METHOD = 'heal.hints';
/** In one call. */
const HINTS_BATCH_MAX = 128;
const CALL_TIMEOUT_MS = 3_000;
/** Faults of one burst share a call. */
const GATHER_MS = 20;

/** Who takes hints in where this node leads. It lives above the hints, so it is handed in. */
export interface HintReceiver {
  accept(from: NodeId, hints: readonly Hint[]): void;
}

interface ForwarderParts {
  readonly env: Env;
  readonly context: Pick<HealingContext, 'leadership' | 'membership'>;
  readonly counters: HealCounters;
  readonly hints: HintStore;
  /** This node's own queue. */
  readonly receiver: HintReceiver;
  readonly token: StopToken;
  /** Default 3 s. */
  readonly resendMs?: number | undefined;
}

/** The receiver's answer. */
interface HintsAck {
  /** False: not the leader. Nothing was taken. */
  readonly leads: boolean;
}

export function encodeHintsRequest(hints: readonly Hint[]): Uint8Array {
  assert(hints.length <= HINTS_BATCH_MAX, `H2 one call carries ${hints.length} hints`);
  return encodeHints(hints);
}

export function decodeHintsRequest(bytes: Uint8Array): Hint[] {
  const input = new ByteReader(bytes, HEAL_HINTS_METHOD);
  const hints = readHints(input);
  input.end();
  return hints;
}

export function encodeHintsAck(ack: HintsAck): Uint8Array {
  return new ByteWriter(1).u8(ack.leads ? 1 : 0).finish();
}

function decodeHintsAck(bytes: Uint8Array): HintsAck {
  return { leads: new ByteReader(bytes, `answer to ${HEAL_HINTS_METHOD}`).u8() === 1 };
}

/** One round of sending: all open hints, to one leader in one term. */
interface Round {
  /** Asked for once more while it runs. */
  again: boolean;
}

export class HintForwarder {
  readonly #parts: ForwarderParts;
  readonly #resendMs: number;
  #timer: Timer | undefined;
  /**
   * The one that runs. One that began under an earlier leader or term ends by itself and says
   * nothing.
   */
  #round: Round | undefined;
  /** Acknowledged by this leader in this term: only for counting. */
  #acked = new Set<TableId>();

  constructor(parts: ForwarderParts) {
    this.#parts = parts;
    this.#resendMs = parts.resendMs ?? 3_000;
    assert(this.#resendMs > 0, 'H2 open hints are sent again');
    const { hints } = parts;
    hints.subscribe((change) => {
      // What is new is told once it is durable: its node must not forget what the leader knows.
      if (change === 'opened') void hints.durable().then(() => this.kick());
      else this.kick();
    });
  }

  /** There is something new to say. */
  kick(): void {
    this.#schedule(GATHER_MS);
  }

  leaderChanged(): void {
    this.#round = undefined;
    this.#acked = new Set();
    this.#schedule(0);
  }

  stop(): void {
    this.#round = undefined;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    if (this.#parts.token.cancelled) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.env.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#round !== undefined) {
      this.#round.again = true;
      return;
    }
    const round: Round = { again: false };
    this.#round = round;
    await this.#sendAll(round);
    if (this.#round !== round) return;
    this.#round = undefined;
    this.#schedule(round.again ? GATHER_MS : this.#resendMs);
  }

  async #sendAll(round: Round): Promise<void> {
    const { env, context, hints, receiver } = this.#parts;
    const { leader } = context.leadership;
    const { self } = context.membership;
    const open = hints.all();
    if (open.length === 0 || leader === 0) return;
    if (leader === self) {
      receiver.accept(self, open);
      this.#count(open, leader);
      return;
    }
    for (let i = 0; i < open.length && round === this.#round; i += HINTS_BATCH_MAX) {
      const batch = open.slice(i, i + HINTS_BATCH_MAX);
      assert(batch.every((hint) => hint.node === self), `H1 node ${self} sends hints of its own files`);
      try {
        const reply = await env.network.call(leader, HEAL_HINTS_METHOD, encodeHintsRequest(batch), CALL_TIMEOUT_MS);
        if (round !== this.#round || !decodeHintsAck(reply).leads) return;
        this.#count(batch, leader);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        return;
      }
    }
  }

  #count(batch: readonly Hint[], leader: NodeId): void {
    let fresh = 0;
    for (const { tableId } of batch) if (!this.#acked.has(tableId)) fresh++;
    for (const { tableId } of batch) this.#acked.add(tableId);
    if (fresh === 0) return;
    assert(fresh <= batch.length && leader !== 0, `H2 ${fresh} of ${batch.length} hints are new to leader ${leader}`);
    this.#parts.counters.hintsForwarded += fresh;
    this.#parts.env.events.emit({ type: 'hints-forwarded', count: fresh, leader });
  }
}
