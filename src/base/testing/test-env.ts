/**
 * An Env for tests of whole replicas in one process: real timers, memory disks, a network that can
 * be cut.
 */

import { NetworkError, messageOf } from '../errors.js';
import type { Disk } from '../disk.js';
import type { Clock, Env, Network, NetworkHandler, Random, Workers } from '../env.js';
import type { KintsugiEvent } from '../events.js';
import type { NodeId } from '../ids.js';

export const testClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer: (delayMs, fn) => {
    const timer = setTimeout(fn, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  defer: (fn) => void setImmediate(fn),
};

export const testRandom: Random = {
  uint32: () => Math.floor(Math.random() * 2 ** 32),
  below: (bound) => Math.floor(Math.random() * bound),
  float: () => Math.random(),
};

let sliceEnds = 0;
export const testWorkers: Workers = {
  breathe: () => {
    const now = performance.now();
    if (now < sliceEnds) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        sliceEnds = performance.now() + 3;
        resolve();
      }),
    );
  },
};

/**
 * Delivers in order, on a later turn; a cut pair delivers nothing; a stopped node's peers see its
 * streams break.
 */
export class TestHub {
  readonly #handlers = new Map<NodeId, NetworkHandler>();
  readonly #cut = new Set<string>();
  /** Whom a member takes nothing from any more. */
  readonly #removed = new Map<NodeId, readonly NodeId[]>();
  /** From whom a member had frames. */
  readonly #heard = new Map<NodeId, Set<NodeId>>();
  /** Of calls that wait for an answer, by who is to give it: ends one. */
  readonly #waiting = new Map<NodeId, Set<(error: NetworkError) => void>>();
  /** Payload bytes of calls' replies, by the node that received them. */
  readonly fetched = new Map<NodeId, number>();

  cut(a: NodeId, b: NodeId): void {
    this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** As kill -9 would: no goodbye, and the peers notice at once. */
  kill(id: NodeId): void {
    this.#handlers.delete(id);
    this.#break(id);
    for (const handler of this.#handlers.values()) setImmediate(() => handler.onDisconnect(id));
  }

  /** Who is gone answers no call, and its callers notice, as they do of a connection. */
  #break(id: NodeId): void {
    const calls = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    for (const end of calls) end(new NetworkError('CLOSED', `member ${id} went away before it answered`));
  }

  /** What `to` answers, unless it goes away before, or the time is over. */
  async #answered(to: NodeId, answer: Promise<Uint8Array>, timeoutMs: number): Promise<Uint8Array> {
    const calls = this.#waiting.get(to) ?? new Set();
    this.#waiting.set(to, calls);
    let end: (error: NetworkError) => void = () => undefined;
    const gone = new Promise<never>((_, reject) => (end = reject));
    calls.add(end);
    const timer = setTimeout(() => end(new NetworkError('TIMEOUT', `member ${to} has not answered in ${timeoutMs} ms`)), timeoutMs);
    try {
      return await Promise.race([answer, gone]);
    } finally {
      clearTimeout(timer);
      calls.delete(end);
    }
  }

  network(self: NodeId): Network {
    const reach = (to: NodeId): NetworkHandler | undefined =>
      this.#cut.has(`${self} ${to}`) || !this.#handlers.has(self) ? undefined : this.#handlers.get(to);
    const isRemoved = (by: NodeId): boolean => this.#removed.get(by)?.includes(self) === true;
    const deliver = (to: NodeId, bytes: Uint8Array): void => {
      const handler = reach(to);
      if (handler === undefined) return;
      this.#heard.set(to, (this.#heard.get(to) ?? new Set()).add(self));
      if (isRemoved(to)) this.#handlers.get(self)?.onRemoved(to);
      else handler.onFrame(self, bytes);
    };
    return {
      maxFrameBytes: 16 * 1024 * 1024,
      start: (handler) => {
        this.#handlers.set(self, handler);
        return Promise.resolve();
      },
      send: (to, bytes) => void setImmediate(() => deliver(to, bytes)),
      ask(to, method, request, timeoutMs) {
        return this.call(to, method, request, timeoutMs);
      },
      call: async (to, method, request, timeoutMs) => {
        await new Promise((resolve) => setImmediate(resolve));
        const handler = reach(to);
        if (!handler) throw new NetworkError('UNREACHABLE', `member ${to} cannot be reached`);
        if (isRemoved(to)) throw new NetworkError('REMOVED', `member ${self} was removed from the cluster`);
        const answer = handler.onCall(self, method, request).catch((error: unknown) => {
          throw new NetworkError('REMOTE', messageOf(error));
        });
        const reply = await this.#answered(to, answer, timeoutMs);
        this.fetched.set(self, (this.fetched.get(self) ?? 0) + reply.length);
        return reply;
      },
      describe: (url) => Promise.reject(new NetworkError('UNREACHABLE', `nobody is asked at ${url}`)),
      guests: () => [...(this.#heard.get(self) ?? [])].filter((id) => reach(id) !== undefined),
      setPeers: (_peers, removed) => void this.#removed.set(self, removed),
      stop: () => {
        this.#break(self);
        if (this.#handlers.delete(self)) for (const handler of this.#handlers.values()) setImmediate(() => handler.onDisconnect(self));
        return Promise.resolve();
      },
    };
  }
}

export function testEnv(self: NodeId, disk: Disk, hub: TestHub, onEvent: (event: KintsugiEvent) => void): Env {
  return { clock: testClock, random: testRandom, disk, network: hub.network(self), workers: testWorkers, events: { emit: onEvent } };
}
