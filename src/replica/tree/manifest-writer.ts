/**
 * Makes the durable manifest follow the materialized version, one append at a time, and then lets go of what only the
 * older version needed: files first in the manifest's absence, never before (S5), then log below F.
 */

import type { TableId } from '../../base/ids.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { ManifestStore } from '../../storage/version/manifest-store.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { Life } from '../state/life.js';

export interface ManifestWriterParts {
  readonly life: Life;
  readonly tree: Tree;
  readonly tables: TableStore;
  readonly store: ManifestStore;
  readonly healing: Pick<HealingHooks, 'durableMoved'>;
}

/** The floor above. */
export interface TreeHooks {
  /** The durable version moved and files that nothing needs are gone: the log may be shortened. */
  durableMoved(): Promise<void>;
}

export class ManifestWriter {
  readonly #parts: ManifestWriterParts;
  readonly #hooks: TreeHooks;
  #running = false;
  #again = false;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(parts: ManifestWriterParts, hooks: TreeHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
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
        this.#parts.life.fail(error);
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
    const { tree, store } = this.#parts;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const next = tree.unrecorded();
      if (!next) continue;
      await store.append(next.ops, next.manifest);
      tree.setDurable(next.manifest);
      await this.#moved(await tree.collect());
      this.#again = true;
    }
  }

  async #moved(deleted: readonly TableId[]): Promise<void> {
    const { tables, healing } = this.#parts;
    for (const id of deleted) tables.forget(id);
    healing.durableMoved();
    await this.#hooks.durableMoved();
  }
}
