/**
 * Makes the durable manifest follow the materialized version, one append at a time, and then lets go of what only the
 * older version needed: files first in the manifest's absence, never before (S5), then log below F.
 */

import type { TableId } from '../../base/ids.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { ManifestStore } from '../../storage/version/manifest-store.js';

export interface ManifestWriterOptions {
  readonly tree: Tree;
  readonly store: ManifestStore;
  /** The durable version moved and unneeded files are gone. */
  readonly moved: (deleted: readonly TableId[]) => Promise<void>;
  readonly failed: (error: unknown) => void;
}

export class ManifestWriter {
  readonly #options: ManifestWriterOptions;
  #running = false;
  #again = false;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(options: ManifestWriterOptions) {
    this.#options = options;
  }

  /** There may be something to record. */
  kick(): void {
    this.#again = true;
    if (this.#running || this.#stopped) return;
    this.#running = true;
    this.#drain().then(
      () => this.#ended(),
      (error: unknown) => {
        this.#stopped = true;
        this.#ended();
        this.#options.failed(error);
      },
    );
  }

  /** Resolves when nothing is being written; nothing will be until `resume`. For replacing the manifest as a whole. */
  async pause(): Promise<void> {
    this.#stopped = true;
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  resume(): void {
    this.#stopped = false;
    this.kick();
  }

  #ended(): void {
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
    if (this.#again && !this.#stopped) this.kick();
  }

  async #drain(): Promise<void> {
    const { tree, store, moved } = this.#options;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const next = tree.unrecorded();
      if (!next) continue;
      await store.append(next.ops, next.manifest);
      tree.setDurable(next.manifest);
      await moved(await tree.collect());
      this.#again = true;
    }
  }
}
