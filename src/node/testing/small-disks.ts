/** Members on disks that have little room. */

import { testEnv } from '../../base/testing/test-env.js';
import { SmallDisk } from '../../base/disk/testing/small-disk.js';
import type { Surroundings } from './surroundings.js';

export const smallDisks: Surroundings<SmallDisk> = {
  newDisk: () => new SmallDisk(),
  env: ({ self, disk, hub, emit }) => testEnv(self, disk, hub, emit),
  powerLoss: () => {
    throw new Error('a small disk has no power to lose: kill the member');
  },
};
