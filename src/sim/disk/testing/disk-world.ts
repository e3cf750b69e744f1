/** A world for tests of one disk: time goes on for as long as the test runs. */

import type { Disk } from '../../../base/disk.js';
import { Coverage } from '../../model/coverage.js';
import { testPump } from '../../testing/pump.js';
import { World, type Process } from '../../world/world.js';
import { SimDisk } from '../sim-disk.js';

const FOREVER_US = 1e15;

export interface DiskWorld {
  readonly world: World;
  readonly coverage: Coverage;
  readonly disk: SimDisk;
  /** A new life on the disk; the one before it is dead. */
  start(onPowerOff?: () => void): Disk;
  /** Of the present life. */
  process(): Process;
  stop(): Promise<void>;
}

export function diskWorld(seed: number): DiskWorld {
  const world = new World({ seed });
  const coverage = new Coverage();
  const disk = new SimDisk(world, 1, coverage);
  let process: Process = { node: 1, alive: true, stalledUntilUs: 0 };
  let over = false;
  const tick = (): void => void world.schedule(1_000, tick);
  tick();
  const running = world.run(testPump, FOREVER_US, () => over);
  return {
    world,
    coverage,
    disk,
    start: (onPowerOff = () => undefined) => {
      process.alive = false;
      process = { node: 1, alive: true, stalledUntilUs: 0 };
      return disk.attach(process, onPowerOff);
    },
    process: () => process,
    stop: async () => {
      over = true;
      await running;
    },
  };
}

export async function inDiskWorld<T>(seed: number, body: (at: DiskWorld) => Promise<T>): Promise<T> {
  const at = diskWorld(seed);
  try {
    return await body(at);
  } finally {
    await at.stop();
  }
}

/** A durable file under a durable name. */
export async function putDurable(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const dir = path.slice(0, Math.max(0, path.lastIndexOf('/')));
  if (dir !== '') {
    await disk.mkdir(dir);
    await disk.syncDir('');
  }
  const file = await disk.open(path, 'create');
  file.writeSync(bytes, 0);
  await file.sync();
  file.close();
  await disk.syncDir(dir);
}

export function readAll(disk: Disk, path: string): Uint8Array {
  const file = disk.openSync(path, 'read');
  const bytes = new Uint8Array(file.size());
  file.readSync(bytes, 0);
  file.close();
  return bytes;
}

export async function readPastCache(disk: Disk, path: string): Promise<Uint8Array> {
  return (await disk.readDirect(path, 0, disk.sizeOf(path) ?? 0)).bytes;
}
