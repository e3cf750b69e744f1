/**
 * The changes of one file that are not on the medium yet, oldest first, each with its own bytes:
 * until a sync covers them, any of them may be there after a power loss, whatever came before or
 * after it. The bytes lie one after another in one buffer, so that a write costs a copy and no
 * allocation.
 */

const RESIZE = -1;
const SMALLEST = 1024;
/** A buffer that grew beyond this for one burst is let go. */
const KEPT_BYTES = 64 * 1024;

export interface PendingVisitor {
  write(bytes: Uint8Array, offset: number): void;
  resize(size: number): void;
}

export class PendingWrites {
  readonly #offsets: number[] = [];
  /** Bytes, or RESIZE: the offset is the new size. */
  readonly #lengths: number[] = [];
  #buffer = new Uint8Array(0);
  #used = 0;
  #first = 0;

  get count(): number {
    return this.#offsets.length;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#used;
  }

  /** The number of the next change: `drop(end)` covers all that there are now. */
  get end(): number {
    return this.#first + this.#offsets.length;
  }

  addWrite(bytes: Uint8Array, offset: number): void {
    const used = this.#used + bytes.length;
    if (used > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(used, this.#buffer.length * 2, SMALLEST));
      if (this.#used > 0) grown.set(this.#buffer.subarray(0, this.#used));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used = used;
    this.#offsets.push(offset);
    this.#lengths.push(bytes.length);
  }

  addResize(size: number): void {
    this.#offsets.push(size);
    this.#lengths.push(RESIZE);
  }

  /** All changes before number `end`, in order. The bytes are views, valid during the call. */
  visit(visitor: PendingVisitor, end = this.end): void {
    const count = this.#countTo(end);
    let at = 0;
    for (let i = 0; i < count; i++) {
      const offset = this.#offsets[i] as number;
      const length = this.#lengths[i] as number;
      if (length === RESIZE) {
        visitor.resize(offset);
      } else {
        visitor.write(this.#buffer.subarray(at, at + length), offset);
        at += length;
      }
    }
  }

  /**
   * The smallest range of the file that holds all writes before number `end`; [0, 0] if there is
   * none.
   */
  span(end: number): readonly [from: number, to: number] {
    let [from, to] = [Infinity, 0];
    for (let i = 0, count = this.#countTo(end); i < count; i++) {
      const length = this.#lengths[i] as number;
      if (length === RESIZE) continue;
      from = Math.min(from, this.#offsets[i] as number);
      to = Math.max(to, (this.#offsets[i] as number) + length);
    }
    return to === 0 ? [0, 0] : [from, to];
  }

  /** Forgets all changes before number `end`. */
  drop(end = this.end): void {
    const count = this.#countTo(end);
    this.#first += count;
    if (count === this.#offsets.length) {
      this.#offsets.length = 0;
      this.#lengths.length = 0;
      this.#used = 0;
      if (this.#buffer.length > KEPT_BYTES) this.#buffer = new Uint8Array(0);
      return;
    }
    let bytes = 0;
    for (let i = 0; i < count; i++) bytes += Math.max(0, this.#lengths[i] as number);
    this.#offsets.splice(0, count);
    this.#lengths.splice(0, count);
    this.#buffer.copyWithin(0, bytes, this.#used);
    this.#used -= bytes;
  }

  #countTo(end: number): number {
    return Math.max(0, Math.min(end - this.#first, this.#offsets.length));
  }
}
