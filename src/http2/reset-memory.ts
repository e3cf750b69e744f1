/**
 * Streams that we have reset while the peer was still sending: what it sent before it heard of that
 * is no error (RFC 9113, 5.1, closed). Only so many are remembered, the oldest are forgotten first.
 */

const MAX_REMEMBERED = 256;

export class ResetMemory {
  /** In the order of their resets. */
  readonly #ids = new Set<number>();

  add(id: number): void {
    this.#ids.add(id);
    if (this.#ids.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }

  /** The peer has ended it, too: nothing more may come. */
  forget(id: number): void {
    if (this.#ids.size > 0) this.#ids.delete(id);
  }
}
