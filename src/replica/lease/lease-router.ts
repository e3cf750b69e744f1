/**
 * Takes what only the leader knows of leases to it, from whichever member was asked: keep-alives of
 * one turn, of all streams together, in one call. A TTL may be as short as two elections, so no
 * silence is waited out: asked again at once when another member leads, or the link is lost, and of
 * the same leader after a while, in case the call or its answer was. The first answer counts: to be
 * kept alive twice is no harm. C1 What waits is bounded.
 */

import { assert } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import { codeOf } from '../../base/errors.js';
import { sleep, type Env, type Timer } from '../../base/env.js';
import type { LeaseId, NodeId } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import {
  decodeIds, decodeTimeLeft, decodeTtls, encodeIds, encodeRefusal, encodeTimeLeft, encodeTtls, KEEP_ALIVE_METHOD, TIME_LEFT_METHOD,
} from './lease-calls.js';
import { Lessor, type LessorParts, type TimeLeft } from './lessor.js';

export interface LeaseRouterParts extends LessorParts {
  readonly env: Pick<Env, 'clock' | 'network' | 'events'>;
}

export interface LeaseRouterOptions {
  readonly electionMs: number;
  /** Of a request. */
  readonly timeoutMs: number;
}

interface Asked {
  readonly leader: NodeId;
  /** Another member leads. */
  readonly moved: () => void;
}

interface KeepAlive {
  readonly id: LeaseId;
  readonly deadline: number;
  readonly answer: Deferred<number>;
}

const MAX_WAITING = 262_144;
/** Of keep-alives in one call, and of such calls at a time. */
const MAX_IDS = 8_192;
const MAX_CALLS = 4;
/** Calls of other members at a time; more are refused. */
const MAX_ANSWERING = 256;
const CALL_MS = 2_000;
/** A call that is not answered by then is repeated, and both are waited for. */
const REPEAT_MS = 500;
const RETRY_MS = 20;

export class LeaseRouter {
  /** This member's part while it leads. */
  readonly #lessor: Lessor;
  readonly #parts: LeaseRouterParts;
  readonly #timeoutMs: number;
  #waiting: KeepAlive[] = [];
  /** With those that are in a call: at most {@link MAX_WAITING}. */
  #size = 0;
  #calls = 0;
  #scheduled = false;
  #answering = 0;
  /** What other members are being asked. */
  readonly #asked = new Set<Asked>();

  constructor(parts: LeaseRouterParts, { electionMs, timeoutMs }: LeaseRouterOptions) {
    this.#parts = parts;
    this.#lessor = new Lessor(parts, electionMs);
    this.#timeoutMs = timeoutMs;
    parts.leadership.subscribe(({ leader }) => {
      if (leader === 0) return;
      for (const asked of this.#asked) if (asked.leader !== leader) asked.moved();
    });
  }

  /** Called each 50 ms. */
  step(): void {
    this.#lessor.step();
  }

  /** Its TTL in seconds; 0: there is no such lease. Rejects with EtcdError. */
  keepAlive(id: LeaseId): Promise<number> {
    if (this.#size >= MAX_WAITING) return Promise.reject(new EtcdError('TOO_MANY_REQUESTS'));
    this.#size++;
    const answer = new Deferred<number>();
    this.#waiting.push({ id, deadline: this.#parts.env.clock.now() + this.#timeoutMs, answer });
    this.#schedule();
    return answer.promise;
  }

  /** Undefined: there is no such lease. Rejects with EtcdError. */
  timeLeft(id: LeaseId): Promise<TimeLeft | undefined> {
    const lessor = this.#lessor;
    const { env } = this.#parts;
    return this.#ask(
      env.clock.now() + this.#timeoutMs,
      () => lessor.timeLeft(id),
      async (leader, forMs) => decodeTimeLeft(await env.network.call(leader, TIME_LEFT_METHOD, encodeIds([id]), forMs)),
    );
  }

  /** Calls of other members. Rejects with CodecError. */
  async answer(method: string, request: Uint8Array): Promise<Uint8Array> {
    const lessor = this.#lessor;
    const ids = decodeIds(request);
    if (this.#answering >= MAX_ANSWERING || ids.length > MAX_IDS) return encodeRefusal(new EtcdError('TOO_MANY_REQUESTS'));
    this.#answering++;
    try {
      if (method === KEEP_ALIVE_METHOD) return encodeTtls(await lessor.renew(ids));
      return encodeTimeLeft(ids[0] === undefined ? undefined : await lessor.timeLeft(ids[0]));
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return encodeRefusal(error);
    } finally {
      this.#answering--;
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#calls >= MAX_CALLS || this.#waiting.length === 0) return;
    this.#scheduled = true;
    this.#parts.env.clock.defer(() => {
      this.#scheduled = false;
      const batch = this.#waiting.splice(0, MAX_IDS);
      void this.#send(batch);
      this.#schedule();
    });
  }

  /** Never rejects. */
  async #send(batch: readonly KeepAlive[]): Promise<void> {
    const lessor = this.#lessor;
    const { env } = this.#parts;
    const ids = batch.map(({ id }) => id);
    this.#calls++;
    try {
      const ttls = await this.#ask(
        (batch[0] as KeepAlive).deadline,
        () => lessor.renew(ids),
        async (leader, forMs) => decodeTtls(await env.network.ask(leader, KEEP_ALIVE_METHOD, encodeIds(ids), forMs), ids.length),
      );
      batch.forEach(({ answer }, at) => answer.resolve(ttls[at] as number));
    } catch (error) {
      for (const { answer } of batch) answer.reject(error);
    } finally {
      this.#calls--;
      this.#size -= batch.length;
      assert(this.#size >= 0, 'C1 each keep-alive is answered once');
      this.#schedule();
    }
  }

  async #ask<T>(deadline: number, here: () => Promise<T>, there: (leader: NodeId, forMs: number) => Promise<T>): Promise<T> {
    const { env, life, leadership } = this.#parts;
    for (;;) {
      const { leader, self } = leadership;
      const left = Math.ceil(deadline - env.clock.now());
      if (life.ended) throw new EtcdError('STOPPED');
      if (left <= 0) throw new EtcdError(leader === 0 ? 'NO_LEADER' : 'TIMEOUT');
      try {
        if (leader === self) return await here();
        if (leader !== 0) return await this.#askThere(leader, () => there(leader, Math.min(CALL_MS, left)));
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        if (error instanceof EtcdError && error.code !== 'NOT_LEADER' && error.code !== 'STOPPED') throw error;
      }
      // Whoever leads next is asked at once.
      if (leadership.leader !== 0 && leadership.leader !== leader) continue;
      await (leadership.leader === 0 ? Promise.race([leadership.next(), sleep(env.clock, 10 * RETRY_MS)]) : sleep(env.clock, RETRY_MS));
    }
  }

  /** Rejects with what a call rejects with, and EtcdError NOT_LEADER when another member leads. */
  async #askThere<T>(leader: NodeId, call: () => Promise<T>): Promise<T> {
    const { clock } = this.#parts.env;
    const answer = new Deferred<T>();
    const asked: Asked = { leader, moved: () => answer.reject(new EtcdError('NOT_LEADER')) };
    let repeat: Timer | undefined;
    const send = (): void => {
      call().then(answer.resolve, answer.reject);
      repeat = clock.setTimer(REPEAT_MS, send);
    };
    this.#asked.add(asked);
    try {
      send();
      return await answer.promise;
    } finally {
      repeat?.cancel();
      this.#asked.delete(asked);
    }
  }
}
