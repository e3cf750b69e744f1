/**
 * A promise that is settled from outside: what one part waits for and another part brings about.
 */

export class Deferred<T = void> {
  readonly promise: Promise<T>;
  /** Only the first call of either counts. */
  readonly resolve: (value: T | PromiseLike<T>) => void;
  readonly reject: (error: unknown) => void;

  constructor() {
    let resolve!: (value: T | PromiseLike<T>) => void;
    let reject!: (error: unknown) => void;
    this.promise = new Promise<T>((onValue, onError) => {
      resolve = onValue;
      reject = onError;
    });
    this.resolve = resolve;
    this.reject = reject;
  }
}
