/**
 * The names of one disk and which of them would survive. A name changes in memory at once and on
 * the medium when a directory that holds one of the names of the change is synced, each change as a
 * whole. Directories are names like others: one whose own name is lost takes all below it with it.
 * Names of one file share it.
 */

import { normalPath, parentOf } from '../../base/disk/memory-disk.js';
import { DiskError } from '../../base/errors.js';
import type { Inode } from './inode.js';

export type Entry = Inode | 'dir';

/** One name; `entry` undefined: it goes away. */
interface NameChange {
  readonly path: string;
  readonly entry: Entry | undefined;
}

interface Step {
  readonly seq: number;
  readonly changes: readonly NameChange[];
}

/** A journal gets to the medium by itself now and then: no more steps than this wait. */
const MAX_STEPS = 512;

export class Names {
  #live = new Map<string, Entry>();
  #durable = new Map<string, Entry>();
  #steps: Step[] = [];
  #seq = 0;
  /** What {@link files} gives, until a name changes: it is asked for far more often. */
  #sorted: readonly (readonly [string, Inode])[] | undefined;

  /** The number of the next step: `sync(dir, end)` covers all that there are now. */
  get end(): number {
    return this.#seq;
  }

  file(path: string): Inode | undefined {
    const entry = this.#live.get(path);
    return entry === 'dir' ? undefined : entry;
  }

  isDir(path: string): boolean {
    return path === '' || this.#live.get(path) === 'dir';
  }

  needFile(path: string): Inode {
    const entry = this.#live.get(path);
    if (entry === undefined) throw notFound(path);
    if (entry === 'dir') throw new DiskError('IO', `${path} is a directory`, { path, errno: 'EISDIR' });
    return entry;
  }

  needDir(path: string): void {
    if (!this.isDir(path)) throw notFound(path);
  }

  /** All names of files, sorted, with the file. */
  files(): readonly (readonly [string, Inode])[] {
    if (this.#sorted !== undefined) return this.#sorted;
    const found: (readonly [string, Inode])[] = [];
    for (const [path, entry] of this.#live) if (entry !== 'dir') found.push([path, entry]);
    return (this.#sorted = found.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Sorted. */
  list(dir: string): string[] {
    const found: string[] = [];
    for (const path of this.#live.keys()) if (parentOf(path) === dir) found.push(dir === '' ? path : path.slice(dir.length + 1));
    return found.sort();
  }

  add(path: string, entry: Entry): void {
    this.#step([{ path, entry }]);
  }

  /** Two names of one file: POSIX leaves both alone, and this says false. */
  rename(from: string, to: string): boolean {
    const entry = this.needFile(from);
    this.needDir(parentOf(to));
    if (this.#live.get(to) === entry) return false;
    this.#step([{ path: to, entry }, { path: from, entry: undefined }]);
    entry.path = to;
    return true;
  }

  unlink(path: string): boolean {
    if (!this.#live.has(path)) return false;
    this.needFile(path);
    this.#step([{ path, entry: undefined }]);
    return true;
  }

  /** The steps before number `end` that have a name in `dir` are on the medium. */
  sync(dir: string, end: number): void {
    this.#commit((step) => step.seq < end && step.changes.some(({ path }) => parentOf(path) === dir));
  }

  /** Something happens to a name on the medium and in memory alike. */
  force(path: string, entry: Entry | undefined): void {
    this.#commit((step) => step.changes.some((change) => change.path === path));
    this.#change([{ path, entry }]);
    apply(this.#durable, [{ path, entry }]);
  }

  /**
   * The power went: of the steps that wait those are there that `keeps` says. Calls `onLost` with
   * the name of each that is not.
   */
  crash(keeps: (index: number, count: number) => boolean, onLost: (path: string) => void): void {
    this.#steps.forEach(({ changes }, i) => {
      if (keeps(i, this.#steps.length)) apply(this.#durable, changes);
      else onLost((changes[0] as NameChange).path);
    });
    this.#steps = [];
    for (const path of [...this.#durable.keys()].sort()) {
      const parent = parentOf(path);
      if (parent !== '' && this.#durable.get(parent) !== 'dir') this.#durable.delete(path);
    }
    this.#live = new Map(this.#durable);
    this.#sorted = undefined;
  }

  /** What would be there if all that waits were lost. */
  durable(): ReadonlyMap<string, Entry> {
    return this.#durable;
  }

  replace(names: ReadonlyMap<string, Entry>): void {
    this.#live = new Map(names);
    this.#durable = new Map(names);
    this.#steps = [];
    this.#sorted = undefined;
  }

  #step(changes: readonly NameChange[]): void {
    this.#change(changes);
    this.#steps.push({ seq: this.#seq++, changes });
    if (this.#steps.length > MAX_STEPS) {
      const oldest = (this.#steps[MAX_STEPS >> 1] as Step).seq;
      this.#commit((step) => step.seq < oldest);
    }
  }

  /** In memory. */
  #change(changes: readonly NameChange[]): void {
    apply(this.#live, changes);
    this.#sorted = undefined;
  }

  #commit(which: (step: Step) => boolean): void {
    this.#steps = this.#steps.filter((step) => {
      if (!which(step)) return true;
      apply(this.#durable, step.changes);
      return false;
    });
  }
}

function apply(names: Map<string, Entry>, changes: readonly NameChange[]): void {
  for (const { path, entry } of changes) {
    if (entry === undefined) names.delete(path);
    else names.set(path, entry);
  }
}

export function notFound(path: string): DiskError {
  return new DiskError('NOT_FOUND', `${path}: no such file`, { path, errno: 'ENOENT' });
}

/** All directories on the way to `dir`, from the top, `dir` last. */
export function pathTo(dir: string): string[] {
  const parts = normalPath(dir).split('/').filter((part) => part !== '');
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}
