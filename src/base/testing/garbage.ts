/** What a test lets go, and whether anybody else holds it still. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export class Watched {
  readonly #refs: WeakRef<object>[] = [];

  watch<T extends object>(item: T): T {
    this.#refs.push(new WeakRef(item));
    return item;
  }

  /** How many of them are held. */
  async held(): Promise<number> {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    // What was looked at in a turn stays until its end.
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    return this.#refs.filter((ref) => ref.deref() !== undefined).length;
  }
}
