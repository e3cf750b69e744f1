/**
 * Progress of scrubs: one live line on a terminal, one JSON object per change with `-w json`,
 * nothing otherwise.
 */

import type { ScrubProgress } from '../../client/client.js';
import { goJson, type GoValue } from '../render/go.js';
import { formatBytes, formatSeconds } from '../render/table.js';
import type { Context } from './context.js';

/** `blocks` and `durationMs` are known at the end. */
export function progressJson(p: ScrubProgress): { readonly [name: string]: GoValue | undefined } {
  const { lastCompletedAt, done, blocks, durationMs, ...rest } = p;
  return { ...rest, lastCompletedAt, done, ...(done ? { blocks, durationMs } : {}) };
}

export class ScrubView {
  readonly #context: Context;
  readonly #members: number;
  readonly #latest = new Map<string, ScrubProgress>();
  readonly #began = performance.now();
  #drawn = false;

  constructor(context: Context, targets: readonly string[]) {
    this.#context = context;
    this.#members = targets.length;
  }

  update(endpoint: string, progress: ScrubProgress): void {
    this.#latest.set(endpoint, progress);
    const { io, format } = this.#context;
    if (format === 'json') {
      io.out(`${goJson({ endpoint, ...progressJson(progress) })}\n`);
    } else if (io.tty) {
      io.out(`\r\u001b[K${this.#line()}`);
      this.#drawn = true;
    }
  }

  clear(): void {
    if (this.#drawn) this.#context.io.out('\r\u001b[K');
  }

  #line(): string {
    let [scanned, total, faults, done] = [0, 0, 0, 0];
    for (const progress of this.#latest.values()) {
      scanned += progress.scannedBytes;
      total += progress.totalBytes;
      faults += progress.faults;
      if (progress.done) done++;
    }
    const elapsed = performance.now() - this.#began;
    const rate = elapsed > 0 ? (scanned * 1000) / elapsed : 0;
    const percent = total > 0 ? Math.floor((100 * scanned) / total) : 0;
    const eta = rate > 0 && total > scanned ? `, ${formatSeconds(((total - scanned) / rate) * 1000)} to go` : '';
    const members = this.#members > 1 ? `, ${done} of ${this.#members} members done` : '';
    return `scrub: ${formatBytes(scanned)} of ${formatBytes(total)} (${percent} %), ${formatBytes(rate)}/s${eta}, ${faults} faults${members}`;
  }
}
