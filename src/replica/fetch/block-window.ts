/**
 * Read-ahead for a table that is fetched whole. While blocks are asked for one after the other,
 * each call brings up to 1 MiB and the next is already under way, at another peer; scattered blocks
 * (a few rotten ones) are fetched alone. At most two answers are held. What it gives was verified;
 * what it does not have is no verdict on any copy.
 */

import { assert, must } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import { ANSWER_BYTES, type RegionsAnswer } from './table-wire.js';
import { payloadMatches, type WantedBlock } from './wanted-block.js';

/**
 * Asks one peer for the regions that begin in [offset, offset + bytes); the text of the failure if
 * it did not answer.
 */
export type AskPeer = (peer: NodeId, offset: number, bytes: number) => Promise<RegionsAnswer | string>;

interface Load {
  readonly from: number;
  readonly bytes: number;
  readonly done: Promise<void>;
  readonly payloads: Map<number, Uint8Array>;
  /** Where the next load begins; known when done. */
  next: number;
}

/** What is asked at the second block in a row; grows fourfold. */
const FIRST_SPAN_BYTES = 64 * 1024;

export class BlockWindow {
  readonly #ask: AskPeer;
  /** The first is asked next. */
  readonly #peers: NodeId[];
  /** The answer that blocks are taken from, and the one that comes next; never the same. */
  #current: Load | undefined;
  #ahead: Load | undefined;
  /** Where a block begins that would continue the run. */
  #expected = -1;
  /** What is asked for at once: 1 to ANSWER_BYTES. */
  #spanBytes = 1;

  constructor(ask: AskPeer, peers: readonly NodeId[]) {
    this.#ask = ask;
    this.#peers = [...peers];
  }

  /** The block's payload, or undefined if the peers that were tried did not give it. */
  async take(block: WantedBlock & { readonly length: number }): Promise<Uint8Array | undefined> {
    assert(block.length > 0, `S4 a block has bytes, at ${block.offset}`);
    const inOrder = block.offset === this.#expected;
    this.#expected = block.offset + block.length;
    if (!inOrder) this.#spanBytes = 1;
    assert(this.#spanBytes >= 1 && this.#spanBytes <= ANSWER_BYTES, `a span is of 1 to ${ANSWER_BYTES} bytes, not ${this.#spanBytes}`);
    const known = await this.#lookup(block);
    if (known !== undefined) return known;
    if (this.#peers.length === 0) return undefined;
    if (inOrder) this.#spanBytes = Math.min(ANSWER_BYTES, Math.max(FIRST_SPAN_BYTES, this.#spanBytes * 4));
    for (let tries = this.#peers.length; tries > 0; tries--) {
      this.#current = this.#load(block.offset, this.#spanBytes);
      await this.#current.done;
      const payload = this.#pick(this.#current, block);
      if (payload !== undefined) {
        this.#readAhead(this.#current);
        return payload;
      }
    }
    return undefined;
  }

  async #lookup(block: WantedBlock): Promise<Uint8Array | undefined> {
    const here = this.#current === undefined ? undefined : this.#pick(this.#current, block);
    if (here !== undefined) return here;
    const ahead = this.#ahead;
    if (ahead === undefined || block.offset < ahead.from || block.offset >= ahead.from + ahead.bytes) return undefined;
    await ahead.done;
    assert(this.#ahead === ahead, 'S4 blocks of a table are taken one after the other');
    this.#ahead = undefined;
    this.#current = ahead;
    const payload = this.#pick(ahead, block);
    if (payload !== undefined) this.#readAhead(ahead);
    return payload;
  }

  /** S4 Judged by the asker's own digest; given out once. */
  #pick(load: Load, block: WantedBlock): Uint8Array | undefined {
    const payload = load.payloads.get(block.offset);
    load.payloads.delete(block.offset);
    return payload !== undefined && payloadMatches(payload, block.digest) ? payload : undefined;
  }

  #readAhead(load: Load): void {
    if (this.#spanBytes < FIRST_SPAN_BYTES || load.payloads.size === 0) return;
    // A peer's word: what does not lead on is not followed.
    if (load.next <= load.from) return;
    this.#spanBytes = Math.min(ANSWER_BYTES, this.#spanBytes * 4);
    assert(this.#ahead === undefined || this.#ahead !== this.#current, 'two answers are held at most');
    this.#ahead = this.#load(load.next, this.#spanBytes);
  }

  /** It did not answer: no more loads wait for it while there is another. */
  #avoid(peer: NodeId): void {
    const at = this.#peers.indexOf(peer);
    if (at >= 0 && this.#peers.length > 1) this.#peers.splice(at, 1);
  }

  /** Takes turns: what one peer cannot give is asked of the next. */
  #load(from: number, bytes: number): Load {
    assert(bytes > 0 && bytes <= ANSWER_BYTES, `a load is of 1 to ${ANSWER_BYTES} bytes, not ${bytes}`);
    const peer = must(this.#peers.shift(), 'somebody is asked');
    this.#peers.push(peer);
    const payloads = new Map<number, Uint8Array>();
    const run = async (): Promise<void> => {
      const answer = await this.#ask(peer, from, bytes);
      if (typeof answer === 'string') return this.#avoid(peer);
      if (answer.kind !== 'pieces') return;
      load.next = answer.next;
      for (const { offset, payload } of answer.pieces) if (payload !== undefined) payloads.set(offset, payload);
    };
    const load: Load = { from, bytes, payloads, next: from + bytes, done: Promise.resolve() };
    return Object.assign(load, { done: run() });
  }
}
