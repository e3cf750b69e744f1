/** Members on disks of which a file's write or sync may fail, and the file with it. */

import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { testEnv } from '../../base/testing/test-env.js';
import type { Surroundings } from './surroundings.js';

export const failingDisks: Surroundings<FaultDisk> = {
  newDisk: () => new FaultDisk(new MemoryDisk()),
  env: ({ self, disk, hub, emit }) => testEnv(self, disk, hub, emit),
  powerLoss: () => {
    throw new Error('a failing disk has no power to lose: kill the member');
  },
};
