/**
 * Assertions stay on in production: a broken invariant stops the process before it can lose data.
 * They are for bugs only. Disk, network and client input are never asserted; they are typed errors.
 */

/** A broken invariant. Nothing catches this on purpose: the process must stop. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * Throws {@link AssertionError} unless `condition` holds; `message` cites the invariant's id where
 * it has one.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(`invariant broken: ${message}`);
}

/** The value, which the caller knows to be there. */
export function must<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) throw new AssertionError(`invariant broken: ${message}`);
  return value;
}

/** Ends a `switch` over a union: adding a member becomes a compile error. */
export function unreachable(value: never, message = 'unreachable'): never {
  throw new AssertionError(`invariant broken: ${message}: ${JSON.stringify(value)}`);
}
