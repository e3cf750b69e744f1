/**
 * What one peer's header blocks say. Each of its blocks must pass here, in the order in which they
 * came, wanted or not: the table of one connection is made by all of them.
 */

import { HeadCache } from './head-cache.js';
import { HpackDecoder } from './hpack/decoder.js';
import { Field } from './hpack/field.js';
import { RequestHead, RequestTrailers } from './request-head.js';

export class RequestHeads {
  readonly #maxListBytes: number;
  readonly #decoder = new HpackDecoder();
  readonly #cache = new HeadCache();
  readonly #absent = new Field('', '');

  /** `maxListBytes`: of the decoded fields of one block (RFC 9113, 6.5.2). */
  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** The head of a request; undefined: COMPRESSION_ERROR, the connection must end. */
  read(block: Uint8Array, from: number, to: number): RequestHead | undefined {
    const generation = this.#decoder.generation;
    const known = this.#cache.find(generation, block, from, to);
    if (known !== undefined) return known;
    const head = new RequestHead(this.#maxListBytes, this.#absent);
    if (this.#decoder.decode(block, from, to, head) === 'broken') return undefined;
    if (this.#decoder.generation === generation) this.#cache.keep(generation, block, from, to, head);
    return head;
  }

  /**
   * Trailers, or the block of a stream that is not wanted: nothing of it is kept. 'malformed' is
   * said of trailers, and means nothing of others.
   */
  readTrailers(block: Uint8Array, from: number, to: number): 'ok' | 'malformed' | 'broken' {
    const trailers = new RequestTrailers();
    if (this.#decoder.decode(block, from, to, trailers) === 'broken') return 'broken';
    return trailers.malformed ? 'malformed' : 'ok';
  }
}
