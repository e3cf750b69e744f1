/**
 * A ReadableTree in memory: sorted keys, each with all its versions. Slow where that is simple; its
 * reads can be made to fail.
 */

import { compareBytes } from '../../../base/bytes.js';
import { StorageError } from '../../../storage/base/errors.js';
import type {
  KeyWalk, ReadView, ReadableTree, ScanOptions, Space, TreeWrite, VersionedEntry,
} from '../../../storage/base/read-view.js';
import type { VersionSlot } from '../../../storage/base/version-slot.js';
import { EntriesWalk, fillFrom } from '../../../storage/iterator/entries-walk.js';

interface Chain {
  readonly key: Uint8Array;
  /** Oldest first. */
  readonly versions: TreeWrite[];
}

function newest(chain: Chain | undefined, at: number): TreeWrite | undefined {
  if (chain === undefined) return undefined;
  for (let i = chain.versions.length - 1; i >= 0; i--) {
    const version = chain.versions[i] as TreeWrite;
    if (version.revision <= at) return version;
  }
  return undefined;
}

/** Reads of keys for which `faulty` holds throw, as a block beyond parity does. */
export class MemoryTree implements ReadableTree {
  readonly spaces: readonly [Chain[], Chain[]] = [[], []];
  faulty: ((key: Uint8Array) => boolean) | undefined;
  /** Keys looked at by gets and scans. */
  reads = 0;
  pinned = 0;
  publications = 0;
  /** Not published yet. */
  readonly staged: TreeWrite[] = [];

  get current(): ReadView {
    return new MemoryView(this, Infinity, Infinity);
  }

  view(): ReadView {
    this.pinned += 1;
    return new MemoryView(this, this.#last(0), this.#last(1));
  }

  write(writes: readonly TreeWrite[]): void {
    this.publications += 1;
    for (const write of writes) {
      const chains = this.spaces[write.space];
      const at = this.find(write.space, write.key);
      const chain = chains[at];
      if (chain !== undefined && compareBytes(chain.key, write.key) === 0) chain.versions.push(write);
      else chains.splice(at, 0, { key: write.key, versions: [write] });
    }
  }

  stage(write: TreeWrite): void {
    this.staged.push(write);
  }

  publish(): void {
    this.write(this.staged.splice(0));
  }

  find(space: Space, key: Uint8Array): number {
    const chains = this.spaces[space];
    let low = 0;
    let high = chains.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((chains[middle] as Chain).key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  touch(key: Uint8Array): void {
    this.reads += 1;
    if (this.faulty?.(key) === true) throw new StorageError('BLOCK_UNREADABLE', 'a planted fault');
  }

  #last(space: Space): number {
    let last = 0;
    for (const chain of this.spaces[space]) last = Math.max(last, chain.versions.at(-1)?.revision ?? 0);
    return last;
  }
}

class MemoryView implements ReadView {
  readonly #tree: MemoryTree;
  readonly #bounds: readonly [number, number];

  constructor(tree: MemoryTree, systemBound: number, userBound: number) {
    this.#tree = tree;
    this.#bounds = [systemBound, userBound];
  }

  get(space: Space, key: Uint8Array, atRevision: number): VersionedEntry | undefined {
    this.#tree.touch(key);
    const chain = this.#tree.spaces[space][this.#tree.find(space, key)];
    if (chain === undefined || compareBytes(chain.key, key) !== 0) return undefined;
    return newest(chain, Math.min(atRevision, this.#bounds[space]));
  }

  *scan(space: Space, options: ScanOptions): IterableIterator<VersionedEntry> {
    const chains = this.#tree.spaces[space];
    const from = this.#tree.find(space, options.from);
    const to = options.to === undefined ? chains.length : this.#tree.find(space, options.to);
    const at = Math.min(options.atRevision, this.#bounds[space]);
    const picked = chains.slice(from, to);
    if (options.reverse === true) picked.reverse();
    for (const chain of picked) {
      this.#tree.touch(chain.key);
      const version = newest(chain, at);
      if (version !== undefined && (!version.tombstone || options.tombstones === true)) yield version;
    }
  }

  find(space: Space, key: Uint8Array, atRevision: number, into: VersionSlot): boolean {
    const entry = this.get(space, key, atRevision);
    if (entry !== undefined) fillFrom(entry, into);
    return entry !== undefined;
  }

  walk(space: Space, options: ScanOptions): KeyWalk {
    return new EntriesWalk(space, this.scan(space, options));
  }

  countLive(from: Uint8Array, to: Uint8Array | undefined): number {
    return this.#count(from, to, this.#bounds[1]);
  }

  *countLiveAt(from: Uint8Array, to: Uint8Array | undefined, atRevision: number): Generator<number, void> {
    yield this.#count(from, to, Math.min(atRevision, this.#bounds[1]));
  }

  #count(from: Uint8Array, to: Uint8Array | undefined, at: number): number {
    let count = 0;
    for (const chain of this.#tree.spaces[1]) {
      if (compareBytes(chain.key, from) < 0 || (to !== undefined && compareBytes(chain.key, to) >= 0)) continue;
      for (const version of chain.versions) if (version.revision <= at) count += version.liveDelta;
    }
    return count;
  }

  release(): void {
    this.#tree.pinned -= 1;
  }
}
