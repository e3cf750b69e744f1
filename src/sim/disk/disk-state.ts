/**
 * What one disk is made of, shared by the life that uses it and the world that looks at it: names
 * and files, armed faults, how long things take, and when the power goes. Everything random on the
 * disk comes from one stream of its own.
 */

import type { Coverage } from '../model/coverage.js';
import type { Structure } from '../model/fault.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import { ArmedFaults, type ArmedFault } from './armed-faults.js';
import { structureByPath } from './default-structure.js';
import type { Inode } from './inode.js';
import { Latency } from './latency.js';
import { Names } from './names.js';

/**
 * Reads between two times at which the cache forgets the file that is read, on average: memory is
 * short on real machines too.
 */
const READS_PER_EVICTION = 3_000;

export class DiskState {
  readonly world: World;
  readonly node: number;
  readonly coverage: Coverage;
  readonly random: Stream;
  readonly latency: Latency;
  readonly names = new Names();
  readonly faults = new ArmedFaults();
  /** Of what a power loss takes. */
  structureOf: (path: string, offset: number) => Structure = structureByPath;
  /** Changes so far: writes, resizes, syncs, names. */
  changes = 0;
  /** So many more, then the power goes. */
  changesLeft = Infinity;
  /**
   * What the next power loss tears if it can, whatever else it does: rare structures would hardly
   * ever be torn by chance.
   */
  torn: string | undefined;
  #readsLeft: number;

  constructor(world: World, node: number, coverage: Coverage) {
    this.world = world;
    this.node = node;
    this.coverage = coverage;
    this.random = world.stream(`disk ${node}`);
    this.latency = new Latency(world.stream(`disk latency ${node}`));
    this.#readsLeft = this.random.between(1, 2 * READS_PER_EVICTION);
  }

  /** Before a cached read of `inode`. */
  beforeCachedRead(inode: Inode): void {
    if (--this.#readsLeft > 0) return;
    this.#readsLeft = this.random.between(1, 2 * READS_PER_EVICTION);
    inode.evict();
  }

  /** The fault that strikes here, reported. */
  strike(kind: ArmedFault['kind'], path: string, offset: number, length: number): ArmedFault | undefined {
    if (this.faults.none) return undefined;
    const fault = this.faults.take(kind, path, offset, length);
    if (fault !== undefined) this.report(fault, path, offset, length);
    return fault;
  }

  /** Whoever armed it counts it: it knows which structure was meant. */
  report(fault: ArmedFault, path: string, offset: number, length: number): void {
    const { trace, nowUs } = this.world;
    trace.fold(offset, length);
    if (trace.taping) trace.row(nowUs, this.node, `disk: ${fault.kind} strikes ${path === '' ? '.' : path} ${offset}+${length}`);
    fault.onStrike(path, offset, length);
  }
}
