/**
 * Which endpoint a call goes to, and what happens when it does not answer. A read is asked again
 * elsewhere while its answer is UNAVAILABLE; a write only if it provably never left this process,
 * since a second put is another revision. Every retry is bounded by a count and by the call's
 * deadline, and waits longer each round, with jitter.
 */

import { setMaxListeners } from 'node:events';
import type { CallLimits, Connection, Dialer } from './connection.js';
import { badArgument, ClientError, type ClientErrorCode } from './errors.js';
import { pause } from './pause.js';

export interface CallOptions {
  /** Ms until DEADLINE_EXCEEDED, over all attempts. Default: the client's. */
  readonly timeoutMs?: number;
  /** Asks this endpoint and no other. One of the client's, or a further one. */
  readonly endpoint?: string;
  /** Ends the call with CANCELLED. */
  readonly signal?: AbortSignal;
}

export interface EndpointsOptions {
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  readonly retryDelayMs: number;
  readonly maxRetryDelayMs: number;
  /** Each call goes to the next endpoint, not to the one that answered last. */
  readonly roundRobin: boolean;
}

/** Further endpoints that calls named; beyond this many the oldest is closed. */
const MAX_EXTRA = 64;

/** One unary method, bytes in and bytes out. */
export interface CallSpec {
  readonly path: string;
  readonly request: Uint8Array;
  /** Asking twice changes nothing. */
  readonly idempotent: boolean;
}

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #dialer: Dialer;
  readonly #endpoints: readonly Connection[];
  readonly #extra = new Map<string, Connection>();
  readonly #closing = new AbortController();
  #current = 0;
  /** In round robin: when an endpoint that did not answer has its turn again, of `Date.now()`. */
  readonly #restsUntil = new Map<Connection, number>();

  constructor(options: EndpointsOptions, dialer: Dialer) {
    if (options.endpoints.length === 0) throw badArgument('at least one endpoint is needed');
    this.#options = options;
    this.#dialer = dialer;
    // Each watch listens to it while it runs.
    setMaxListeners(0, this.#closing.signal);
    this.#endpoints = options.endpoints.map((name) => dialer.dial(name));
  }

  /** As they were given. */
  get names(): readonly string[] {
    return this.#endpoints.map((endpoint) => endpoint.name);
  }

  get maxAttempts(): number {
    return this.#options.maxAttempts;
  }

  /** The client is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  close(): void {
    this.#closing.abort();
    for (const endpoint of [...this.#endpoints, ...this.#extra.values()]) endpoint.close();
    this.#extra.clear();
  }

  /** `pinned`: asks this one and no other. */
  async unary(spec: CallSpec, limits: CallLimits, pinned: string | undefined): Promise<Uint8Array> {
    const around = pinned === undefined ? this.#endpoints.length : 1;
    const failures = new Map<string, string>();
    for (let attempt = 1; ; attempt++) {
      const endpoint = this.#asked(pinned);
      try {
        return await endpoint.unary(spec.path, spec.request, limits);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        // That the time was up says less than why the attempts before it failed.
        if (error.code !== 'DEADLINE_EXCEEDED' || !failures.has(endpoint.name)) failures.set(endpoint.name, error.details);
        const again = error.transient && (spec.idempotent || error.unsent) && !this.#closing.signal.aborted;
        // Whoever does not answer in time is not asked next, either. Others may have moved on.
        const elsewhere = error.transient || error.code === 'DEADLINE_EXCEEDED';
        if (elsewhere && pinned === undefined) this.#avoid(endpoint);
        const delay = this.#delay(attempt, around);
        const over = attempt >= this.#options.maxAttempts || Date.now() + delay >= limits.deadline;
        if (!again || over) throw told(error, spec, attempt, failures);
        await pause(delay, limits.signal);
      }
    }
  }

  /** A stream is never resumed: only its consumer knows what it has seen. */
  stream(path: string, request: Uint8Array, limits: CallLimits, pinned: string | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#asked(pinned).serverStream(path, request, limits);
  }

  /** Whom a call goes to that its consumer resumes, once `failed` did not answer. */
  pick(pinned: string | undefined, failed: Connection | undefined): Connection {
    if (pinned === undefined && failed !== undefined) this.#avoid(failed);
    return this.#asked(pinned);
  }

  /** Waits before the attempt after this one; shorter if the signal ends. */
  backOff(attempt: number, { endpoint, signal }: CallOptions): Promise<void> {
    return pause(this.#delay(attempt, endpoint === undefined ? this.#endpoints.length : 1), signal);
  }

  /** Of a call that begins now. Throws ClientError if the client is closed. */
  limits({ timeoutMs = this.#options.timeoutMs, signal }: CallOptions): CallLimits {
    if (this.#closing.signal.aborted) throw new ClientError('CANCELLED', { details: 'the client is closed', unsent: true });
    if (!(timeoutMs > 0)) throw badArgument(`timeoutMs is above 0, got ${timeoutMs}`);
    return { deadline: Date.now() + timeoutMs, signal, token: undefined };
  }

  /** Who is asked next: the pinned one, the one that answered last, or whose turn it is. */
  #asked(pinned: string | undefined): Connection {
    if (pinned !== undefined) return this.#named(pinned);
    const endpoint = this.#endpoints[this.#current] as Connection;
    if (!this.#options.roundRobin) return endpoint;
    const now = Date.now();
    const all = this.#endpoints.length;
    for (let i = 0; i < all; i++) {
      const turn = this.#endpoints[this.#current] as Connection;
      this.#current = (this.#current + 1) % all;
      if ((this.#restsUntil.get(turn) ?? 0) <= now) return turn;
    }
    // All of them failed lately.
    this.#current = (this.#current + 1) % all;
    return endpoint;
  }

  /** It did not answer: others are asked first. */
  #avoid(endpoint: Connection): void {
    if (this.#options.roundRobin) this.#restsUntil.set(endpoint, Date.now() + this.#options.maxRetryDelayMs);
    else if (this.#endpoints[this.#current] === endpoint) this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  #named(name: string): Connection {
    const known = this.#endpoints.find((endpoint) => endpoint.name === name) ?? this.#extra.get(name);
    if (known !== undefined) return known;
    const endpoint = this.#dialer.dial(name);
    this.#extra.set(name, endpoint);
    const [oldest] = this.#extra;
    if (this.#extra.size > MAX_EXTRA && oldest !== undefined) {
      this.#extra.delete(oldest[0]);
      oldest[1].close();
    }
    return endpoint;
  }

  /** The first round over all endpoints does not wait. */
  #delay(attempt: number, around: number): number {
    if (attempt < around) return 0;
    const { retryDelayMs, maxRetryDelayMs } = this.#options;
    const most = Math.min(maxRetryDelayMs, retryDelayMs * 2 ** Math.floor(attempt / around - 1));
    return most * (0.5 + Math.random() / 2);
  }
}

/** After them a write that was sent may have been carried out. Everything else is a refusal. */
const UNKNOWN_OUTCOMES: ReadonlySet<ClientErrorCode> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'UNKNOWN', 'INTERNAL']);

function told(error: ClientError, { idempotent }: CallSpec, attempts: number, failures: ReadonlyMap<string, string>): ClientError {
  const { code, details, endpoint, unsent } = error;
  const outcomeUnknown = !idempotent && !unsent && UNKNOWN_OUTCOMES.has(code);
  if (attempts === 1 && !outcomeUnknown) return error;
  const known = attempts === 1 ? {} : { failures };
  return new ClientError(code, { details, endpoint, unsent, outcomeUnknown, attempts, ...known, cause: error });
}
