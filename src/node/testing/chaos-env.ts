/**
 * The surroundings of the chaos test: disks that are slow, lose un-synced writes with the power and
 * rot; a network that drops, delays and cuts. What a member got from them dies with that life:
 * nothing that an old one still runs can touch the disk or the network of the next.
 */

import { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import type { Env, Network, Random } from '../../base/env.js';
import { DiskError, NetworkError } from '../../base/errors.js';
import { testClock, testWorkers } from '../../base/testing/test-env.js';
import type { LifeParts, Surroundings, TestProcess } from './surroundings.js';

/**
 * Every change and direct read takes a turn of the loop, some take milliseconds: the races of a
 * real disk.
 */
function slowDisk(disk: CrashDisk, random: Random, life: TestProcess): Disk {
  const check = (): void => {
    if (!life.alive) throw new DiskError('IO', 'the power is off', { path: '' });
  };
  const pause = async (): Promise<void> => {
    check();
    const slow = random.below(40) === 0 ? random.below(12) : 0;
    await new Promise<void>((resolve) => (slow > 0 ? setTimeout(resolve, slow) : setImmediate(resolve)));
    check();
  };
  const wrap = (file: DiskFile): DiskFile => ({
    path: file.path,
    size: () => (check(), file.size()),
    readSync: (into, offset) => (check(), file.readSync(into, offset)),
    read: async (into, offset) => (await pause(), file.read(into, offset)),
    writeSync: (bytes, offset) => (check(), file.writeSync(bytes, offset)),
    write: async (bytes, offset) => (await pause(), file.write(bytes, offset)),
    sync: async () => {
      await pause();
      while (life.stalled?.(file.path) === true) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        check();
      }
      return file.sync();
    },
    truncate: async (size) => (await pause(), file.truncate(size)),
    close: () => file.close(),
  });
  return {
    openSync: (path, mode) => (check(), wrap(disk.openSync(path, mode))),
    open: async (path, mode) => (await pause(), wrap(await disk.open(path, mode))),
    sizeOf: (path) => (check(), disk.sizeOf(path)),
    readDirect: async (path, offset, length) => (await pause(), disk.readDirect(path, offset, length)),
    list: async (dir) => (await pause(), disk.list(dir)),
    mkdir: async (dir) => (await pause(), disk.mkdir(dir)),
    rename: async (from, to) => (await pause(), disk.rename(from, to)),
    link: async (from, to) => (await pause(), disk.link(from, to)),
    unlink: async (path) => (await pause(), disk.unlink(path)),
    syncDir: async (dir) => (await pause(), disk.syncDir(dir)),
  };
}

export interface Weather {
  /** In percent of frames. */
  loss: number;
  delay: number;
}

function shakyNetwork(inner: Network, random: Random, life: TestProcess, weather: Weather): Network {
  const down = (): NetworkError => new NetworkError('CLOSED', 'this life is over');
  return {
    maxFrameBytes: inner.maxFrameBytes,
    start: (handler) => inner.start(handler),
    send: (to, frame, lane) => {
      if (!life.alive || random.below(100) < weather.loss) return;
      if (random.below(100) < weather.delay) setTimeout(() => life.alive && inner.send(to, frame, lane), random.below(60));
      else inner.send(to, frame, lane);
    },
    ask(to, method, request, timeoutMs) {
      return this.call(to, method, request, timeoutMs);
    },
    call: async (to, method, request, timeoutMs) => {
      if (!life.alive) throw down();
      if (random.below(100) < weather.loss) throw new NetworkError('TIMEOUT', 'lost');
      const reply = await inner.call(to, method, request, timeoutMs);
      if (!life.alive) throw down();
      return reply;
    },
    describe: (url, timeoutMs) => inner.describe(url, timeoutMs),
    guests: () => inner.guests(),
    setPeers: (peers, removed) => inner.setPeers(peers, removed),
    stop: () => (life.alive ? inner.stop() : Promise.resolve()),
  };
}

export class Chaos implements Surroundings<CrashDisk> {
  /** May change at any time. */
  readonly weather: Weather = { loss: 0, delay: 0 };
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  newDisk(): CrashDisk {
    return new CrashDisk();
  }

  env({ self, disk, process, hub, emit }: LifeParts<CrashDisk>): Env {
    const random = this.#random;
    return {
      clock: { ...testClock, setTimer: (delayMs, fn) => testClock.setTimer(delayMs, () => void (process.alive && fn())) },
      random,
      disk: slowDisk(disk, random, process),
      network: shakyNetwork(hub.network(self), random, process, this.weather),
      workers: testWorkers,
      events: { emit },
    };
  }

  powerLoss(disk: CrashDisk): void {
    disk.crash(this.#random);
  }
}
