/**
 * A store for an application's own tests, `kintsugi/testing`: a whole member of one, with the state
 * machine, log and tree that ship, in memory. No server, no disk, no time but what the test moves:
 *
 *     await using store = await openMemory();
 *     await store.client.put('greeting', 'hello');
 *     await store.advance(10_000);          // leases that nobody keeps alive are over
 */

import { MemoryDisk } from '../base/disk/memory-disk.js';
import type { Env, Network, Random, Workers } from '../base/env.js';
import { NetworkError } from '../base/errors.js';
import type { Client, AuthOptions } from '../client/client.js';
import { openMember, type Member } from '../node/open-member.js';
import { DEFAULT_TREE_SETTINGS } from '../storage/base/settings.js';
import { InFlight } from './in-flight.js';
import { LocalClients } from './local-clients.js';
import { VirtualClock } from './virtual-clock.js';

export interface MemoryOptions {
  /** Of what is drawn by chance, such as the ids of leases. Default 1. */
  readonly seed?: number;
  /** Bytes of a write that are refused from here on. Default 1.5 MiB, as a member's. */
  readonly maxRequestBytes?: number;
}

const SELF = 1;
const CLUSTER_ID = 0x6b69n;
const MAX_REQUEST_BYTES = 1_572_864;
const HEARTBEAT_MS = 100;
const ELECTION_MS = 1_000;
const STEP_MS = 50;
/** Of virtual time until it serves; it takes two seconds. */
const START_MS = 60_000;
/** Calls of `breathe` between two turns. */
const SLICE = 256;
/** The lowest that bcrypt allows: the passwords of tests are none. */
const BCRYPT_COST = 4;

/** A cluster of one has nobody to talk to. */
class NoNetwork implements Network {
  readonly maxFrameBytes = 16 * 1024 * 1024;

  start(): Promise<void> {
    return Promise.resolve();
  }

  send(): void {}

  call(to: number): Promise<Uint8Array> {
    return Promise.reject(new NetworkError('UNREACHABLE', `member ${to} cannot be reached: this one is alone`));
  }

  ask(to: number): Promise<Uint8Array> {
    return this.call(to);
  }

  describe(url: string): Promise<Uint8Array> {
    return Promise.reject(new NetworkError('UNREACHABLE', `${url} cannot be reached: this member is alone`));
  }

  guests(): readonly [] {
    return [];
  }

  setPeers(): void {}

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

/** SplitMix32. */
class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  uint32(): number {
    this.#state = (this.#state + 0x9e37_79b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  below(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  float(): number {
    return this.uint32() / 0x1_0000_0000;
  }
}

/** Slices go by what is done, not by how long it takes. */
class CountingWorkers implements Workers {
  #left = SLICE;

  breathe(): Promise<void> | undefined {
    if (--this.#left > 0) return undefined;
    this.#left = SLICE;
    return new Promise((resolve) => setImmediate(resolve));
  }
}

export class MemoryStore implements AsyncDisposable {
  /** As over the network. In the name of the application: nothing is forbidden to it. */
  readonly client: Client;
  readonly #clients: LocalClients;
  readonly #member: Member;
  readonly #clock: VirtualClock;

  constructor(member: Member, clients: LocalClients, clock: VirtualClock) {
    this.#member = member;
    this.#clients = clients;
    this.#clock = clock;
    this.client = clients.owner();
  }

  /** Milliseconds since it was opened, as the store counts them. */
  get now(): number {
    return this.#clock.now();
  }

  /** Time goes on by so much; resolves when all that happens by then has happened. */
  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }

  /** Where auth is on: what that user may do. */
  clientAs(auth: AuthOptions): Client {
    return this.#clients.as(auth);
  }

  /** Its clients are closed, and what it held is gone. */
  async close(): Promise<void> {
    this.#clients.close();
    await this.#member.replica.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Resolves when it serves. */
export async function openMemory({ seed = 1, maxRequestBytes = MAX_REQUEST_BYTES }: MemoryOptions = {}): Promise<MemoryStore> {
  const inFlight = new InFlight();
  const clock = new VirtualClock(inFlight);
  const events = { emit: () => undefined };
  const env: Env = {
    clock, random: new SeededRandom(seed), disk: new MemoryDisk(), network: new NoNetwork(), workers: new CountingWorkers(), events,
  };
  let fatal: unknown;
  const member = await openMember(env, {
    self: SELF,
    clusterId: CLUSTER_ID,
    members: [{ id: SELF, name: 'memory', peerUrls: ['http://memory.invalid:2380'] }],
    clientUrls: [],
    settings: DEFAULT_TREE_SETTINGS,
    heartbeatMs: HEARTBEAT_MS,
    electionMs: ELECTION_MS,
    logSegmentBytes: 256 * 1024,
    cacheBytes: 8 * 1024 * 1024,
    onFatal: (error) => {
      fatal = error;
      throw error;
    },
  });
  await member.replica.start();
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      if (fatal !== undefined || clock.now() > START_MS) throw new Error('the store in memory does not start', { cause: fatal });
      await clock.advance(STEP_MS);
    }
  };
  await until(() => serves(member));
  // A new leader answers for leases a step later.
  let knowsLeases = false;
  void member.store.lease.timeToLive(1n, false).then(() => (knowsLeases = true));
  await until(() => knowsLeases);
  return new MemoryStore(member, new LocalClients(member.store, { maxRequestBytes, bcryptCost: BCRYPT_COST, clock }, inFlight), clock);
}

/** It leads, and may do all that this program can. */
function serves({ replica, store }: Member): boolean {
  if (!replica.leadership.mayShapeTree) return false;
  const { clusterVersion, newestVersion } = store.status();
  return clusterVersion === newestVersion;
}
