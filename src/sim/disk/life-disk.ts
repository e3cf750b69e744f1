/**
 * The disk as one life of a node has it. Synchronous calls cost the node's event loop time; others
 * take effect at once or when they return, as on a pool of threads, and a life that ended never
 * hears of them. Faults strike here and in the open file.
 */

import { normalPath, parentOf } from '../../base/disk/memory-disk.js';
import type { DirectRead, Disk, DiskFile, OpenMode } from '../../base/disk.js';
import { DiskError } from '../../base/errors.js';
import type { DiskState } from './disk-state.js';
import { Inode } from './inode.js';
import { settle, type Life } from './life.js';
import { pathTo } from './names.js';
import { checkRead, misread } from './read-faults.js';
import { SimFile } from './sim-file.js';

export class LifeDisk implements Disk {
  readonly #life: Life;
  readonly #state: DiskState;

  constructor(life: Life) {
    this.#life = life;
    this.#state = life.state;
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    this.#life.check(path);
    this.#life.stall(6);
    return this.#open(path, mode);
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.#life.later(() => this.#begin(path, this.#state.latency.pool()), () => this.#open(path, mode));
  }

  sizeOf(path: string): number | undefined {
    this.#life.check(path);
    this.#life.stall(2);
    return this.#state.names.file(normalPath(path))?.size;
  }

  readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    const state = this.#state;
    const name = normalPath(path);
    const begin = (): number => {
      this.#life.check(path);
      const slow = state.strike('slow-io', name, offset, length)?.delayUs ?? 0;
      return state.latency.pool() + state.latency.device(length) + slow;
    };
    return this.#life.later(begin, () => {
      const inode = state.names.needFile(name);
      checkLock(inode, name, 'read');
      inode.path = name;
      checkRead(state, inode, offset, length, true);
      const bytes = inode.readDirect(offset, length);
      misread(state, inode, bytes, offset);
      return { bytes, pastCache: true };
    });
  }

  list(dir: string): Promise<string[]> {
    return this.#life.later(() => this.#begin(dir, this.#state.latency.name()), () => this.#state.names.list(normalPath(dir)));
  }

  mkdir(dir: string): Promise<void> {
    return this.#naming(dir, () => {
      const { names } = this.#state;
      for (const path of pathTo(dir)) {
        if (names.file(path) !== undefined) throw new DiskError('EXISTS', `${path} is a file`, { path, errno: 'EEXIST' });
        if (names.isDir(path)) continue;
        names.add(path, 'dir');
        this.#life.changed();
        this.#life.check(path);
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#naming(from, () => {
      if (this.#state.names.rename(normalPath(from), normalPath(to))) this.#life.changed();
    });
  }

  link(from: string, to: string): Promise<void> {
    return this.#naming(from, () => {
      const { names } = this.#state;
      const inode = names.needFile(normalPath(from));
      const target = normalPath(to);
      names.needDir(parentOf(target));
      if (names.file(target) === inode) return;
      names.add(target, inode);
      inode.path = target;
      this.#life.changed();
    });
  }

  unlink(path: string): Promise<void> {
    return this.#naming(path, () => {
      if (this.#state.names.unlink(normalPath(path))) this.#life.changed();
    });
  }

  syncDir(dir: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#life.check(dir);
      const { world, names, latency } = this.#state;
      const name = normalPath(dir);
      names.needDir(name);
      const end = names.end;
      const delay = latency.sync(world.nowUs, 0, this.#syncExtra(name));
      world.schedule(delay, () => settle(() => this.#syncedDir(name, end), resolve, reject), this.#life.process);
      this.#life.changed();
    });
  }

  #syncedDir(name: string, end: number): void {
    if (this.#state.strike('sync-dir-error', name, 0, 0) !== undefined) {
      throw new DiskError('SYNC_FAILED', `${name}: EIO (injected)`, { path: name, errno: 'EIO' });
    }
    this.#state.names.sync(name, end);
  }

  #syncExtra(name: string): number {
    return this.#state.strike('stalled-sync', name, 0, 0)?.delayUs ?? 0;
  }

  #naming(path: string, effect: () => void): Promise<void> {
    return this.#life.later(() => this.#begin(path, this.#state.latency.name()), effect);
  }

  #begin(path: string, delayUs: number): number {
    this.#life.check(path);
    return delayUs;
  }

  #open(path: string, mode: OpenMode): DiskFile {
    const { names } = this.#state;
    const name = normalPath(path);
    const there = names.isDir(name) || names.file(name) !== undefined;
    if (!there && (mode === 'create' || mode === 'open-or-create')) return new SimFile(this.#life, path, this.#create(name), true);
    const inode = names.needFile(name);
    checkLock(inode, name, mode);
    inode.path = name;
    if (mode === 'create') {
      inode.resize(0);
      this.#life.changed();
    }
    return new SimFile(this.#life, path, inode, mode !== 'read');
  }

  #create(name: string): Inode {
    const state = this.#state;
    state.names.needDir(parentOf(name));
    if (state.strike('no-space', name, 0, 0) !== undefined) {
      throw new DiskError('NO_SPACE', `${name}: ENOSPC (injected)`, { path: name, errno: 'ENOSPC' });
    }
    const inode = new Inode(name);
    state.names.add(name, inode);
    this.#life.changed();
    return inode;
  }
}

/** As the real disk says it: a file that cannot be opened for reading cannot be read. */
function checkLock(inode: Inode, path: string, mode: OpenMode): void {
  if (!inode.locked) return;
  throw new DiskError(mode === 'read' ? 'READ_FAILED' : 'IO', `${path}: EACCES (injected)`, { path, errno: 'EACCES' });
}
