/**
 * The tape: a row for each event, a column for each node. Only one column of a row says something,
 * so its text begins there and may run over the columns to its right; those to its left show as
 * dots. The world (network, clients, checks) has the first column. 160 characters wide; what is
 * longer goes on in the next line, below its own beginning.
 */

import type { TapeRow } from '../../sim/world/trace.js';

export const TAPE_WIDTH = 160;

const TIME_WIDTH = 9;
/** What the last column has at least. */
const LEAST_TEXT = 60;
/** The head comes again after so many rows. */
const PAGE = 60;
const CHUNK = 64 * 1024;

/** `   12.345`. */
export function tapeTime(atUs: number): string {
  return `${Math.floor(atUs / 1_000_000)}.${String(Math.floor(atUs / 1000) % 1000).padStart(3, '0')}`.padStart(TIME_WIDTH);
}

/** Breaks at spaces where it can. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const at = space > width / 2 ? space : width;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  lines.push(rest);
  return lines;
}

export class Tape {
  readonly #columns: readonly number[];
  readonly #write: (text: string) => void;
  #pending = '';
  #rows = 0;

  /** `write` gets pieces of many rows; call {@link flush} at the end. */
  constructor(nodes: number, write: (text: string) => void) {
    const first = TIME_WIDTH + 2;
    const step = Math.min(28, Math.floor((TAPE_WIDTH - first - LEAST_TEXT) / nodes));
    this.#columns = Array.from({ length: nodes + 1 }, (_, i) => first + i * step);
    this.#write = write;
  }

  get rows(): number {
    return this.#rows;
  }

  row(row: TapeRow): void {
    if (this.#rows++ % PAGE === 0) this.#line(this.#head());
    const node = Math.min(row.node, this.#columns.length - 1);
    const column = this.#columns[node] as number;
    const lines = wrap(row.text.replace(/\s*\n\s*/g, ' '), TAPE_WIDTH - column);
    lines.forEach((text, i) => this.#line(this.#guides(node, i === 0 ? tapeTime(row.atUs) : '', text)));
  }

  flush(): void {
    if (this.#pending !== '') this.#write(this.#pending);
    this.#pending = '';
  }

  #head(): string {
    let line = 'seconds'.padStart(TIME_WIDTH);
    this.#columns.forEach((column, i) => (line = `${line.padEnd(column)}${i === 0 ? 'world' : `n${i}`}`));
    return line;
  }

  /**
   * Dots in the columns that the text does not cover; below its first line only those to its left.
   */
  #guides(node: number, time: string, text: string): string {
    let line = time;
    this.#columns.forEach((column, i) => {
      if (i === node) line = `${line.padEnd(column)}${text}`;
      else if (line.length < column && (i < node || time !== '')) line = `${line.padEnd(column)}·`;
    });
    return line;
  }

  #line(text: string): void {
    this.#pending += `${text}\n`;
    if (this.#pending.length >= CHUNK) this.flush();
  }
}
