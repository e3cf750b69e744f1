/**
 * What members of a test run on. The disks outlive the members; an Env belongs to one life of a
 * member.
 *
 * `calm` is the quiet one: memory disks on which everything written stays, a network that delivers.
 * `Chaos` (chaos-env.ts) is the other.
 */

import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import type { KintsugiEvent } from '../../base/events.js';
import type { NodeId } from '../../base/ids.js';
import { testEnv, type TestHub } from '../../base/testing/test-env.js';

/** One life of a member, as its surroundings see it. */
export interface TestProcess {
  alive: boolean;
  /**
   * Syncs of these files do not return while this life lasts; only a {@link Chaos} has disks that
   * stall.
   */
  stalled?: (path: string) => boolean;
}

/** What the Env of one life is made of. */
export interface LifeParts<D extends Disk> {
  readonly self: NodeId;
  readonly disk: D;
  readonly process: TestProcess;
  readonly hub: TestHub;
  emit(event: KintsugiEvent): void;
}

export interface Surroundings<D extends Disk> {
  newDisk(): D;
  env(parts: LifeParts<D>): Env;
  /**
   * What was not synced may be gone. Nothing of the life that ended can reach the disk afterwards.
   */
  powerLoss(disk: D): void;
}

export const calm: Surroundings<MemoryDisk> = {
  newDisk: () => new MemoryDisk(),
  env: ({ self, disk, hub, emit }) => testEnv(self, disk, hub, emit),
  powerLoss: () => {
    throw new Error('a memory disk has no power to lose: kill the member, or let the cluster run in a Chaos');
  },
};
