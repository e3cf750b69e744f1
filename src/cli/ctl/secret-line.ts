/**
 * A line that is typed at a terminal and not shown, from the bytes that a terminal in raw mode
 * gives: it does no editing of its own then, and Ctrl-C is a byte like any other.
 */

export type Typed =
  | { readonly kind: 'more' }
  /** Ctrl-C. */
  | { readonly kind: 'cancelled' }
  /** `rest`: what was typed, or pasted, after the line. */
  | { readonly kind: 'done'; readonly text: string; readonly rest: Uint8Array };

const CTRL_C = 3;
const CTRL_D = 4;
const CTRL_H = 8;
const NEWLINE = 10;
const RETURN = 13;
const CTRL_U = 21;
const DELETE = 127;

export class SecretLine {
  readonly #bytes: number[] = [];

  feed(chunk: Uint8Array): Typed {
    for (const [at, byte] of chunk.entries()) {
      switch (byte) {
        case CTRL_C: return { kind: 'cancelled' };
        case CTRL_D:
        case NEWLINE:
        case RETURN: return { kind: 'done', text: Buffer.from(this.#bytes).toString(), rest: chunk.slice(at + 1) };
        case CTRL_U: this.#bytes.length = 0; break;
        case CTRL_H:
        case DELETE: this.#deleteLast(); break;
        default: this.#bytes.push(byte);
      }
    }
    return { kind: 'more' };
  }

  /** A character of UTF-8 may be several bytes. */
  #deleteLast(): void {
    for (let byte = this.#bytes.pop(); byte !== undefined && (byte & 0xc0) === 0x80; ) byte = this.#bytes.pop();
  }
}
