/**
 * A transport in memory that is as nasty as the interface allows: it spoils the bytes that it has
 * taken, and looks after those that it has kept.
 */

import assert from 'node:assert/strict';
import type { Transport, Written } from '../transport.js';

export class MemoryTransport implements Transport {
  /** What `write` answers next. */
  answer: () => Written = () => 'taken';
  readonly writes: Buffer[] = [];
  paused = false;
  ended = false;
  destroyed = false;
  /** Said 'full', and not drained since. */
  full = false;
  /** Pieces that it has kept, and what they held then. */
  #kept: { readonly piece: Uint8Array; readonly was: Buffer }[] = [];
  #read = 0;

  write(pieces: readonly Uint8Array[]): Written {
    assert.ok(pieces.length > 0 && pieces.every((piece) => piece.length > 0), 'something is written');
    assert.ok(!this.ended, 'nothing is written after the end');
    this.checkKept();
    this.writes.push(Buffer.concat(pieces));
    const answer = this.answer();
    for (const piece of pieces) {
      if (answer === 'taken') piece.fill(0xdd);
      else this.#kept.push({ piece, was: Buffer.from(piece) });
    }
    if (answer === 'full') this.full = true;
    return answer;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    assert.ok(!this.ended, 'ended once');
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** What it holds was not overwritten. */
  checkKept(): void {
    for (const { piece, was } of this.#kept) assert.ok(was.equals(piece), 'kept bytes stay as they were');
  }

  /** It lets go of what it has kept. */
  letGo(): void {
    this.checkKept();
    this.#kept = [];
    this.full = false;
  }

  /** What was written since the last look. */
  take(): Buffer {
    const bytes = Buffer.concat(this.writes.slice(this.#read));
    this.#read = this.writes.length;
    return bytes;
  }
}
