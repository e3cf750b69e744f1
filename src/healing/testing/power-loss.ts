/**
 * A disk in memory that loses power before its k-th change, and comes back with what was synced: contents as of each
 * file's last sync; names as of each directory's last sync, or (the other extreme a real disk may choose) all of them.
 */

import { MemoryDisk, parentOf, type MemoryNode } from '../../base/disk/memory-disk.js';
import { DiskError } from '../../base/errors.js';

export class PowerLossDisk {
  readonly disk: MemoryDisk;
  /** Changes left until the power goes. */
  left = Infinity;
  dead = false;
  #synced = new Map<MemoryNode, Uint8Array>();
  #syncedNames = new Map<string, MemoryNode>();
  #names = new Map<string, MemoryNode>();

  constructor() {
    const change = (): void => {
      if (this.dead || this.left-- <= 0) {
        this.dead = true;
        throw new DiskError('IO', 'the power is gone');
      }
    };
    this.disk = new MemoryDisk({
      onWrite: change,
      onResize: change,
      onSync: (node) => {
        change();
        this.#synced.set(node, node.bytes.slice());
      },
      onName: (path, node) => {
        change();
        if (node === undefined) this.#names.delete(path);
        else this.#names.set(path, node);
      },
      onSyncDir: (dir) => {
        change();
        for (const name of this.#syncedNames.keys()) if (parentOf(name) === dir) this.#syncedNames.delete(name);
        for (const [name, node] of this.#names) if (parentOf(name) === dir) this.#syncedNames.set(name, node);
      },
    });
  }

  /** What is there now counts as synced, damage included. */
  settle(): void {
    for (const node of this.#names.values()) this.#synced.set(node, node.bytes.slice());
    this.#syncedNames = new Map(this.#names);
  }

  restart(names: 'synced' | 'all'): void {
    this.left = Infinity;
    this.dead = false;
    const survivors = names === 'all' ? this.#names : this.#syncedNames;
    for (const node of new Set(survivors.values())) {
      const bytes = this.#synced.get(node) ?? new Uint8Array(0);
      node.resize(0);
      node.write(bytes, 0);
    }
    this.#names = new Map(survivors);
    this.#syncedNames = new Map(survivors);
    this.disk.restart(survivors);
  }
}
