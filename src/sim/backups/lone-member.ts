/**
 * One member by itself, on a disk that nothing strikes, in the time of the run: what a directory
 * comes to when the shipping store opens it. Nobody else hears of it.
 */

import { KiB } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env, Network } from '../../base/env.js';
import { NetworkError } from '../../base/errors.js';
import { openMember, type Member } from '../../node/open-member.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { configAt } from '../cluster/identity.js';
import { simClock } from '../world/sim-env.js';
import type { Process, World } from '../world/world.js';

/** No machine of a run has this number. */
const PLACE = 1_000;

const alone = (): Promise<never> => Promise.reject(new NetworkError('UNREACHABLE', 'there is nobody else'));

const NOBODY: Network = {
  maxFrameBytes: 1024 * 1024,
  start: () => Promise.resolve(),
  send: () => undefined,
  call: alone,
  ask: alone,
  describe: alone,
  guests: () => [],
  setPeers: () => undefined,
  stop: () => Promise.resolve(),
};

export interface LoneMember {
  readonly clusterId: bigint;
  readonly logSegmentBytes: number;
}

export class LoneMachine {
  readonly disk = new MemoryDisk();
  readonly process: Process;
  readonly env: Env;

  constructor(world: World, name: string) {
    this.process = { node: PLACE, alive: true, stalledUntilUs: world.nowUs };
    this.env = {
      clock: simClock(world, this.process), random: world.stream(name), disk: this.disk, network: NOBODY,
      workers: { breathe: () => undefined }, events: { emit: () => undefined },
    };
  }

  /** Its member, the only one of its cluster, takes part. Rejects as `openMember` does. */
  async start({ clusterId, logSegmentBytes }: LoneMember, onFatal: (error: unknown) => void): Promise<Member> {
    const member = await openMember(this.env, {
      self: 1, clusterId, members: [configAt(1)], joins: [], clientUrls: [], settings: DEFAULT_TREE_SETTINGS, cacheBytes: 64 * KiB,
      logSegmentBytes, heartbeatMs: 100, electionMs: 1_000, onFatal,
    });
    await member.replica.start();
    return member;
  }

  /** Nothing of it runs any more. */
  end(world: World): void {
    this.process.alive = false;
    world.forget(this.process);
  }
}
