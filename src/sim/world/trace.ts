/**
 * What happened in a run, twice: a digest into which every event is folded (two runs are the same
 * run exactly when their digests are), and, for people, a tape of rows with a column for each node.
 * The tape never changes the run.
 */

export interface TapeRow {
  /** Microseconds since the start. */
  readonly atUs: number;
  /** 0: the world's own column (network, clients, checkers). */
  readonly node: number;
  readonly text: string;
}

export class Trace {
  #a = 0x243f6a88;
  #b = 0x85a308d3;
  readonly #onRow: ((row: TapeRow) => void) | undefined;

  constructor(onRow?: (row: TapeRow) => void) {
    this.#onRow = onRow;
  }

  /** Rows are wanted: texts for them are worth building. */
  get taping(): boolean {
    return this.#onRow !== undefined;
  }

  row(atUs: number, node: number, text: string): void {
    this.#onRow?.({ atUs, node, text });
  }

  /** Any numbers; only their lowest 32 bits count, and of larger ones also the next 21. */
  fold(x: number, y = 0): void {
    this.#mix(x | 0);
    if (x > 0xffff_ffff) this.#mix(Math.floor(x / 0x1_0000_0000));
    this.#mix(y | 0);
  }

  foldText(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    this.#mix(text.length);
  }

  /** Length, head and tail: what lies between shows in what it causes. */
  foldBytes(bytes: Uint8Array): void {
    this.#mix(bytes.length);
    let a = this.#a;
    let b = this.#b;
    const tail = bytes.length - 16;
    for (let i = 0; i < bytes.length; i++) {
      if (i === 48 && tail > 48) i = tail;
      a = mixA(a, bytes[i] as number);
      b = mixB(b, a);
    }
    this.#a = a;
    this.#b = b;
  }

  /** 16 hex digits. */
  digest(): string {
    const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
    return hex(this.#a) + hex(this.#b);
  }

  #mix(x: number): void {
    this.#a = mixA(this.#a, x);
    this.#b = mixB(this.#b, this.#a);
  }
}

function mixA(a: number, x: number): number {
  const mixed = Math.imul((a ^ x) + 0x6d2b79f5, 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}

function mixB(b: number, a: number): number {
  const mixed = Math.imul(b ^ a, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
