/**
 * Cuts a text of JSON values, one behind the other, into its values, however its bytes come. It
 * looks at brackets and quotes only: what is no JSON is cut somewhere, and whoever reads it says
 * what is wrong.
 */

const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
const BLANK = new Set([0x20, 0x0a, 0x0d, 0x09]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class ValueSplitter {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Of a value that has come in part. */
  get heldBytes(): number {
    return this.#bytes;
  }

  /** The values that end in these bytes, which are kept. */
  push(bytes: Uint8Array): Uint8Array[] {
    const values: Uint8Array[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (!this.#ends(bytes[at] as number, this.#bytes + at - from)) continue;
      this.#keep(bytes.subarray(from, at + 1));
      from = at + 1;
      values.push(this.rest());
    }
    this.#keep(bytes.subarray(from));
    return values.filter((value) => value.some((byte) => !BLANK.has(byte)));
  }

  /** What is there of the last value. */
  rest(): Uint8Array {
    const value = this.#parts.length === 1 ? (this.#parts[0] as Uint8Array) : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    return value;
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }

  /** `before`: bytes of this value. */
  #ends(byte: number, before: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) {
        this.#inString = false;
        return this.#depth === 0;
      }
      return false;
    }
    if (byte === QUOTE) this.#inString = true;
    else if (OPEN.has(byte)) this.#depth++;
    else if (CLOSE.has(byte)) return --this.#depth <= 0;
    else if (BLANK.has(byte)) return this.#depth === 0 && before > 0;
    return false;
  }
}
