/** One live line on a terminal, nothing otherwise. */

import { formatBytes, formatSeconds } from './table.js';

/** Where it is drawn: standard error. */
export interface Terminal {
  err(text: string): void;
  readonly tty: boolean;
}

const REDRAW_MS = 100;

export class ProgressLine {
  readonly #io: Terminal;
  readonly #what: string;
  readonly #began = performance.now();
  /** Bytes to do; undefined: not known yet. */
  total: number | undefined;
  #done = 0;
  #drawnAt = -Infinity;

  constructor(io: Terminal, what: string, total?: number) {
    this.#io = io;
    this.#what = what;
    this.total = total;
  }

  add(bytes: number): void {
    this.#done += bytes;
    const now = performance.now();
    if (!this.#io.tty || now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#io.err(`\r\u001b[K${this.#line(now)}`);
  }

  clear(): void {
    if (this.#drawnAt > 0) this.#io.err('\r\u001b[K');
  }

  #line(now: number): string {
    const elapsed = now - this.#began;
    const rate = elapsed > 0 ? (this.#done * 1000) / elapsed : 0;
    if (this.total === undefined) return `${this.#what}: ${formatBytes(this.#done)}, ${formatBytes(rate)}/s`;
    const left = Math.max(0, this.total - this.#done);
    const eta = rate > 0 ? `, ${formatSeconds((left / rate) * 1000)} to go` : '';
    const percent = this.total > 0 ? Math.floor((100 * Math.min(this.#done, this.total)) / this.total) : 100;
    return `${this.#what}: ${formatBytes(this.#done)} of ${formatBytes(this.total)} (${percent} %), ${formatBytes(rate)}/s${eta}`;
  }
}
