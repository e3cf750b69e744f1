/**
 * Leases under leader kills: some are held and keep themselves alive, the others are left alone,
 * each with one key whose end is watched from outside, by linearizable reads. What is called early
 * or late is so beyond doubt, whatever a read took. A holder that hears no answer for a whole TTL
 * gives its lease up, and nobody keeps it alive from then on: that is no fault of the cluster's if
 * reads went unanswered meanwhile, too.
 */

import { ClientError, type Client, type Lease } from '../../src/client/client.js';
import { Answers } from './answers.js';
import { seededRandom } from './random.js';

/** Nobody keeps it alive since `idleFrom`. */
export interface Watched {
  readonly key: string;
  /** Seconds. */
  readonly ttl: number;
  /** Between these two, ms, its TTL began for the last time. */
  readonly sentAt: number;
  idleFrom: number;
  /** When a read was asked that still found it. */
  seenAt: number;
  /** When the first read was answered that did not. */
  goneAt: number | undefined;
}

export interface Held extends Watched {
  readonly lease: Pick<Lease, 'lost' | 'abandon'>;
  /** When its holder gave it up. */
  givenUpAt: number | undefined;
}

export interface LeaseFaults {
  early: string[];
  late: string[];
  lost: string[];
  /** Given up for want of an answer, while nothing else was answered either. */
  unanswered: string[];
}

const POLL_MS = 50;
/** Grants under way at a time. */
const AT_ONCE = 50;
/** Of a TTL: a holder asks each third of it, so less than this keeps none from an answer. */
const OUTAGE_SHARE = 0.5;

async function inGroups<T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> {
  const out: T[] = [];
  for (let at = 0; at < count; at += AT_ONCE) {
    out.push(...(await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, i) => make(at + i)))));
  }
  return out;
}

/** TTLs of 2 to 10 s. */
export class LeaseDrill {
  readonly #client: Client;
  readonly #graceMs: number;
  readonly #random: () => number;
  /** Of reads and of writes. */
  readonly answers = new Answers();

  constructor(client: Client, seed: number, graceMs: number) {
    this.#client = client;
    this.#graceMs = graceMs;
    this.#random = seededRandom(seed);
  }

  hold(prefix: string, count: number): Promise<Held[]> {
    return inGroups(count, async (i) => {
      const sentAt = Date.now();
      const lease = await this.#client.lease.hold({ ttl: this.#ttl() });
      const held: Held = { ...(await this.#watched(`${prefix}held/${i}`, lease, sentAt)), lease, givenUpAt: undefined };
      const giveUp = (): number => (held.givenUpAt = Date.now());
      if (lease.lost.aborted) giveUp();
      else lease.lost.addEventListener('abort', giveUp, { once: true });
      return held;
    });
  }

  leaveAlone(prefix: string, count: number): Promise<Watched[]> {
    return inGroups(count, async (i) => {
      const sentAt = Date.now();
      const lease = await this.#client.lease.grant({ ttl: this.#ttl() });
      return this.#watched(`${prefix}idle/${i}`, lease, sentAt, Date.now());
    });
  }

  /**
   * Reads all keys below the prefix, at least once, until those that are idle are gone, or
   * `untilMs`.
   */
  async watch(prefix: string, all: readonly Watched[], untilMs: number): Promise<void> {
    const waits = (): boolean => all.some(({ idleFrom, goneAt }) => idleFrom < Infinity && goneAt === undefined);
    for (let answered = false; (waits() || !answered) && Date.now() < untilMs; ) {
      const askedAt = Date.now();
      const keys = await this.#keys(prefix);
      answered = keys !== undefined;
      if (answered) this.answers.add(Date.now());
      for (const one of answered ? all : []) {
        if (keys?.has(one.key) === true) one.seenAt = askedAt;
        else one.goneAt ??= Date.now();
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  judge(all: readonly (Watched | Held)[], faults: LeaseFaults): void {
    for (const one of all) {
      const { key, ttl, sentAt, idleFrom, seenAt, goneAt } = one;
      const say = (ms: number): string => `${key}: ${ms} ms of ${ttl} s`;
      if ('lease' in one && idleFrom === Infinity) {
        this.#judgeHeld(one, faults);
        continue;
      }
      if (goneAt !== undefined && goneAt - sentAt < 1000 * ttl) faults.early.push(say(goneAt - sentAt));
      const late = (goneAt === undefined ? Date.now() : seenAt) - idleFrom;
      if (late > 1000 * ttl + this.#graceMs) faults.late.push(say(late));
    }
  }

  #judgeHeld({ key, ttl, goneAt, givenUpAt, lease }: Held, faults: LeaseFaults): void {
    if (givenUpAt === undefined) {
      if (goneAt !== undefined) faults.lost.push(`${key}: its key is gone`);
      return;
    }
    const reason = String(lease.lost.reason);
    const outageMs = this.answers.longestGap(givenUpAt - 1000 * ttl, givenUpAt);
    const isCut = lease.lost.reason instanceof ClientError && lease.lost.reason.code !== 'NOT_FOUND' && outageMs >= OUTAGE_SHARE * 1000 * ttl;
    // What is seen gone afterwards may have ended because nobody keeps it alive any more.
    const when = new Date(givenUpAt).toISOString().slice(11, 23);
    if (isCut && (goneAt === undefined || goneAt >= givenUpAt)) faults.unanswered.push(`${key}: at ${when} ${reason}; no read was answered for ${outageMs} ms`);
    else faults.lost.push(`${key}: at ${when} of ${ttl} s: ${reason}; reads were answered but for ${outageMs} ms`);
  }

  #ttl(): number {
    return 2 + Math.floor(9 * this.#random());
  }

  async #watched(key: string, lease: Pick<Lease, 'id' | 'ttl'>, sentAt: number, idleFrom = Infinity): Promise<Watched> {
    const { id, ttl } = lease;
    await this.#client.put(key, 'v', { lease: id });
    this.answers.add(Date.now());
    return { key, ttl, sentAt, idleFrom, seenAt: Date.now(), goneAt: undefined };
  }

  /** Undefined: nobody could answer just now. */
  async #keys(prefix: string): Promise<ReadonlySet<string> | undefined> {
    try {
      const { kvs } = await this.#client.getRange({ prefix }, { keysOnly: true, timeoutMs: 2_000 });
      return new Set(kvs.map(({ key }) => Buffer.from(key).toString()));
    } catch (error) {
      if (error instanceof ClientError) return undefined;
      throw error;
    }
  }
}
