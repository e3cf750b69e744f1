/**
 * Removes what no version, reader, plan or transfer names any more while the node runs: files of a transfer that a newer
 * one replaced, a file restored just as its table went, tables whose last pin was released. S5: a file goes only if it was
 * unnamed twice, some seconds apart, while the tree was at rest: nothing owed, planned or unrecorded, no transfer under
 * way. Otherwise a job may need inputs that no version names any more, and a finished transfer's files are named only
 * a moment after they are complete.
 */

import { messageOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { Tree } from '../../storage/tree/tree.js';

export interface SweeperOptions {
  readonly env: Env;
  readonly tree: Tree;
  /** A snapshot is being received or installed. */
  readonly busy: () => boolean;
}

const EVERY_MS = 4_000;

export class Sweeper {
  readonly #options: SweeperOptions;
  #suspects = new Set<string>();
  #last = 0;
  #running = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Called often; looks now and then. */
  tick(now: number): void {
    if (this.#running || now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.#running = true;
    this.#sweep()
      .catch((error: unknown) => {
        // What could not be removed is found again; it costs space and nothing else.
        this.#options.env.events.emit({ type: 'warning', message: 'unneeded table files could not be removed', data: { why: messageOf(error) } });
      })
      .finally(() => (this.#running = false));
  }

  async #sweep(): Promise<void> {
    const { tree, env, busy } = this.#options;
    const moving = (): boolean => busy() || !atRest(tree);
    if (moving()) {
      this.#suspects.clear();
      return;
    }
    await tree.collect();
    const unnamed = await tree.orphans();
    if (moving()) {
      this.#suspects.clear();
      return;
    }
    const gone = unnamed.filter((path) => this.#suspects.has(path));
    this.#suspects = new Set(unnamed);
    for (const path of gone) await env.disk.unlink(path);
  }
}

function atRest(tree: Tree): boolean {
  const { seals, plans } = tree.latest;
  return tree.owed().length === 0 && seals.length === 0 && plans.length === 0 && tree.unrecorded() === undefined;
}
