/**
 * Removes what no version, reader, plan or transfer names any more while the node runs: files of a
 * transfer that a newer one replaced, a file restored just as its table went, tables whose last pin
 * was released. S5: a file goes only if it was unnamed twice, some seconds apart, while the tree
 * was at rest: nothing owed, planned or unrecorded, no transfer under way. Otherwise a job may need
 * inputs that no version names any more, and a finished transfer's files are named only a moment
 * after they are complete.
 */

import { assert } from '../../base/assert.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { Life } from '../state/life.js';

/**
 * Something that names tables which no version does yet: a snapshot that is being received or
 * installed.
 */
export interface Transfer {
  readonly busy: boolean;
}

export interface SweeperParts {
  readonly env: Env;
  readonly life: Life;
  readonly tree: Tree;
  readonly transfers: readonly Transfer[];
}

const EVERY_MS = 4_000;

export class Sweeper {
  readonly #parts: SweeperParts;
  #suspects = new Set<string>();
  #last = 0;
  #state: 'idle' | 'sweeping' = 'idle';

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  /** Called often; looks now and then. */
  tick(now: number): void {
    assert(now >= this.#last, `S5 time goes on: ${now} after ${this.#last}`);
    if (this.#state === 'sweeping' || now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.#state = 'sweeping';
    this.#sweep()
      .catch((error: unknown) => {
        if (codeOf(error) === undefined) return this.#parts.life.fail(error);
        // What could not be removed is found again; it costs space and nothing else.
        this.#parts.env.events.emit({ type: 'warning', message: 'unneeded table files could not be removed', data: { why: messageOf(error) } });
      })
      .finally(() => (this.#state = 'idle'));
  }

  async #sweep(): Promise<void> {
    const { tree, env } = this.#parts;
    if (this.#moving()) {
      this.#suspects.clear();
      return;
    }
    await tree.collect();
    const unnamed = await tree.orphans();
    if (this.#moving()) {
      this.#suspects.clear();
      return;
    }
    const gone = unnamed.filter((path) => this.#suspects.has(path));
    this.#suspects = new Set(unnamed);
    for (const path of gone) {
      assert(path.startsWith('tables/'), `S5 a sweep is about table files, not ${path}`);
      await env.disk.unlink(path);
    }
  }

  #moving(): boolean {
    const { tree, transfers } = this.#parts;
    return transfers.some(({ busy }) => busy) || !atRest(tree);
  }
}

function atRest(tree: Tree): boolean {
  const { seals, plans } = tree.latest;
  return tree.owed().length === 0 && seals.length === 0 && plans.length === 0 && tree.unrecorded() === undefined;
}
