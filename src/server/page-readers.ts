/**
 * Who waits for a page: requests that are not answered, and answers that are not read. They are
 * bounded in number and bytes over all servers of the process, and few on one connection. When
 * there is no room, whoever has waited longest loses its connection: it is the one that does not
 * read, and who reads is gone in milliseconds.
 */

import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { assert } from '../base/assert.js';
import { MiB } from '../base/bytes.js';

export interface PageLimits {
  readonly requests: number;
  /** Requests on one connection: a client that waits for its answers has one. */
  readonly perConnection: number;
  readonly bytes: number;
}

const LIMITS: PageLimits = { requests: 64, perConnection: 4, bytes: 16 * MiB };

interface Waiting {
  readonly socket: Duplex;
  bytes: number;
}

export class PageReaders {
  readonly #limits: PageLimits;
  /** Oldest first. */
  readonly #waiting = new Map<ServerResponse, Waiting>();
  readonly #ofSocket = new Map<Duplex, Set<ServerResponse>>();
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
  admit(socket: Duplex, response: ServerResponse): boolean {
    if (socket.destroyed) return false;
    const { requests, perConnection } = this.#limits;
    const own = this.#requestsOf(socket);
    if (own.size >= perConnection) {
      this.#close(socket);
      return false;
    }
    if (this.#waiting.size >= requests) this.#closeOldest(socket);
    own.add(response);
    this.#waiting.set(response, { socket, bytes: 0 });
    response.once('close', () => this.#drop(response));
    return true;
  }

  /** The answer is so large, and goes out now. */
  answered(response: ServerResponse, bytes: number): void {
    const waiting = this.#waiting.get(response);
    if (waiting === undefined) return; // its connection is closed
    waiting.bytes += bytes;
    this.#bytes += bytes;
    while (this.#bytes > this.#limits.bytes && this.#closeOldest(waiting.socket));
  }

  #requestsOf(socket: Duplex): Set<ServerResponse> {
    const known = this.#ofSocket.get(socket);
    if (known !== undefined) return known;
    const own = new Set<ServerResponse>();
    this.#ofSocket.set(socket, own);
    // An answer that waits behind another one hears of no end of its connection.
    socket.once('close', () => this.#dropAll(socket));
    return own;
  }

  /** But for `but`. False: there is no other. */
  #closeOldest(but: Duplex): boolean {
    for (const { socket } of this.#waiting.values()) {
      if (socket === but) continue;
      this.#close(socket);
      return true;
    }
    return false;
  }

  #close(socket: Duplex): void {
    this.#closed++;
    this.#dropAll(socket);
    socket.destroy();
  }

  #dropAll(socket: Duplex): void {
    const own = this.#ofSocket.get(socket);
    this.#ofSocket.delete(socket);
    if (own !== undefined) for (const response of own) this.#drop(response);
  }

  #drop(response: ServerResponse): void {
    const waiting = this.#waiting.get(response);
    if (waiting === undefined) return;
    this.#waiting.delete(response);
    this.#ofSocket.get(waiting.socket)?.delete(response);
    this.#bytes -= waiting.bytes;
    assert(this.#bytes >= 0 && (this.#waiting.size > 0 || this.#bytes === 0), 'bytes are given back with their answer');
  }
}
