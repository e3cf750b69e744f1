/**
 * What a power loss leaves. Of the changes that no sync covered each may be on the medium, may be
 * missing, or may be torn at sectors, in any order; of the names that no sync of their directory
 * covered a prefix is there (a journal keeps their order) or any subset. Now and then all of it is
 * there, or nothing: independent chances alone would hardly ever make such a crash.
 */

import { structureOfName } from './default-structure.js';
import type { DiskState } from './disk-state.js';
import { SECTOR, type Fate, type FateOfChange, type Inode } from './inode.js';

type Manner = 'nothing' | 'all' | 'prefix' | 'any';
const MANNERS: readonly Manner[] = ['nothing', 'all', 'prefix', 'prefix', 'any', 'any', 'any', 'any'];

export function powerLoss(disk: DiskState): void {
  const { random, names, world } = disk;
  const manner = random.pick(MANNERS);
  let lost = 0;
  const journal = random.chance(1, 2);
  let kept: number | undefined;
  names.crash(
    (index, count) => {
      if (manner === 'nothing' || manner === 'all') return manner === 'all';
      if (!journal) return random.chance(1, 2);
      kept ??= random.below(count + 1);
      return index < kept;
    },
    (path) => {
      lost++;
      disk.coverage.fault('unsynced-name-lost', structureOfName(path));
    },
  );
  const done = new Set<Inode>();
  for (const [path, inode] of names.files()) {
    if (done.has(inode)) continue;
    done.add(inode);
    inode.path = path;
    const fates = new CrashFates(disk, manner, inode);
    inode.crash(fates);
    lost += fates.lost;
  }
  disk.torn = undefined;
  disk.latency.restart();
  world.trace.fold(MANNERS.indexOf(manner), lost);
  if (world.trace.taping) world.trace.row(world.nowUs, disk.node, `disk: power loss (${manner}), ${lost} changes lost or torn`);
}

class CrashFates implements FateOfChange {
  readonly #disk: DiskState;
  readonly #manner: Manner;
  readonly #path: string;
  /** In manner prefix: the change at which the prefix ends, which itself may be torn. */
  readonly #cut: number;
  #index = 0;
  #firstSector = 0;
  #lostSector = 0;
  #keptSector = 0;
  lost = 0;

  constructor(disk: DiskState, manner: Manner, inode: Inode) {
    this.#disk = disk;
    this.#manner = manner;
    this.#path = inode.path;
    this.#cut = manner === 'prefix' ? disk.random.below(inode.pending.count + 1) : 0;
  }

  fate(offset: number, length: number): Fate {
    const sectors = Math.ceil((offset + length) / SECTOR) - Math.floor(offset / SECTOR);
    const fate = this.#path === this.#disk.torn ? (sectors < 2 ? 'kept' : 'torn') : this.#choose();
    if (fate === 'kept') return fate;
    if (fate === 'torn' && sectors < 2) return this.#disk.random.chance(1, 2) ? 'kept' : this.#lose(offset, length);
    if (fate === 'lost') return this.#lose(offset, length);
    // At least one sector got there, and at least one did not.
    this.#firstSector = Math.floor(offset / SECTOR);
    this.#lostSector = this.#disk.random.below(sectors);
    this.#keptSector = (this.#lostSector + this.#disk.random.between(1, sectors - 1)) % sectors;
    this.lost++;
    const at = Math.max(offset, (this.#firstSector + this.#lostSector) * SECTOR);
    this.#disk.coverage.fault('torn-append', this.#disk.structureOf(this.#path, at));
    return 'torn';
  }

  keepsSector(offset: number): boolean {
    const sector = Math.floor(offset / SECTOR) - this.#firstSector;
    if (sector === this.#lostSector) return false;
    return sector === this.#keptSector || this.#disk.random.chance(1, 2);
  }

  #lose(offset: number, length: number): Fate {
    this.lost++;
    const file = structureOfName(this.#path);
    // Of a change of size. That of a segment is at its end, where a header of it lies.
    const resized = file === 'log-file' ? 'log-header' : file;
    const structure = length === 0 ? resized : this.#disk.structureOf(this.#path, offset);
    this.#disk.coverage.fault('unsynced-lost', structure);
    return 'lost';
  }

  #choose(): Fate {
    const index = this.#index++;
    const random = this.#disk.random;
    switch (this.#manner) {
      case 'nothing':
        return 'lost';
      case 'all':
        return 'kept';
      case 'prefix':
        if (index !== this.#cut) return index < this.#cut ? 'kept' : 'lost';
        return random.pick(['kept', 'lost', 'torn']);
      case 'any':
        return random.pick(['kept', 'lost', 'torn']);
    }
  }
}
