/**
 * Who waits for a page: requests that are not answered, and answers that are not read. They are
 * bounded in number and bytes over all servers of the process, and few on one connection. When
 * there is no room, whoever has waited longest loses its connection: it is the one that does not
 * read, and who reads is gone in milliseconds.
 */

import { assert } from '../base/assert.js';
import { MiB } from '../base/bytes.js';
import type { Exchange } from './web/exchange.js';

export interface PageLimits {
  readonly requests: number;
  /** Requests on one connection: a client that waits for its answers has one. */
  readonly perConnection: number;
  readonly bytes: number;
}

const LIMITS: PageLimits = { requests: 64, perConnection: 4, bytes: 16 * MiB };

/** A request, as it is counted here. */
type PageReader = Pick<Exchange, 'connection' | 'isOver' | 'onOver' | 'abort'>;

export class PageReaders {
  readonly #limits: PageLimits;
  /** Oldest first. */
  readonly #waiting = new Map<PageReader, number>();
  readonly #ofConnection = new Map<object, Set<PageReader>>();
  #bytes = 0;
  #closed = 0;

  constructor(limits: PageLimits = LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Connections that were closed because they did not read, since the start. */
  get closed(): number {
    return this.#closed;
  }

  /** False: the connection has more than its share, and is closed. */
  admit(reader: PageReader): boolean {
    if (reader.isOver) return false;
    const { requests, perConnection } = this.#limits;
    const { connection } = reader;
    const own = this.#ofConnection.get(connection) ?? new Set();
    if (own.size >= perConnection) {
      this.#close(reader);
      return false;
    }
    if (this.#waiting.size >= requests) this.#closeOldest(connection);
    this.#ofConnection.set(connection, own.add(reader));
    this.#waiting.set(reader, 0);
    reader.onOver(() => this.#drop(reader));
    return true;
  }

  /** The answer is so large, and goes out now. */
  answered(reader: PageReader, bytes: number): void {
    const counted = this.#waiting.get(reader);
    if (counted === undefined) return; // its connection is closed
    this.#waiting.set(reader, counted + bytes);
    this.#bytes += bytes;
    while (this.#bytes > this.#limits.bytes && this.#closeOldest(reader.connection));
  }

  /** But for `but`. False: there is no other. */
  #closeOldest(but: object): boolean {
    for (const reader of this.#waiting.keys()) {
      if (reader.connection === but) continue;
      this.#close(reader);
      return true;
    }
    return false;
  }

  #close(reader: PageReader): void {
    this.#closed++;
    for (const own of [...(this.#ofConnection.get(reader.connection) ?? [])]) this.#drop(own);
    reader.abort();
  }

  #drop(reader: PageReader): void {
    const bytes = this.#waiting.get(reader);
    if (bytes === undefined) return;
    this.#waiting.delete(reader);
    this.#bytes -= bytes;
    const own = this.#ofConnection.get(reader.connection);
    own?.delete(reader);
    if (own?.size === 0) this.#ofConnection.delete(reader.connection);
    assert(this.#bytes >= 0 && (this.#waiting.size > 0 || this.#bytes === 0), 'bytes are given back with their answer');
  }
}
