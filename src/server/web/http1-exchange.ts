/** An exchange of HTTP/1.1, on Node's own server. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { KiB } from '../../base/bytes.js';
import type { Pair } from '../../http2/hpack/header-list.js';
import { socketOf } from './paced-socket.js';
import type { Exchange, ExchangeUser } from './exchange.js';
import { userOfSocket } from './user-of-socket.js';

/** Of a body that was told of and not used up; from there on no more is read. */
const MAX_HELD = 64 * KiB;
/** A client that has gone without a word is noticed by probes after so long. */
const PROBE_MS = 30_000;

export class Http1Exchange implements Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #held = 0;
  #isOver = false;
  readonly #onOver: (() => void)[] = [];

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    const over = (): void => this.#end();
    request.on('error', () => undefined);
    response.on('error', () => undefined).on('close', () => {
      request.socket.off('close', over);
      over();
    });
    // An answer that waits behind another one hears of no end of its connection.
    request.socket.on('close', over);
    if (request.socket.destroyed) this.#isOver = true;
  }

  get connection(): object {
    return this.#request.socket;
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  get target(): string {
    return this.#request.url ?? '';
  }

  get host(): string {
    return this.#request.headers.host ?? '';
  }

  get secure(): boolean {
    return socketOf(this.#request.socket) instanceof TLSSocket;
  }

  get clientName(): string | undefined {
    return userOfSocket(socketOf(this.#request.socket));
  }

  get headers(): Iterable<Pair> {
    const { rawHeaders } = this.#request;
    return Array.from({ length: rawHeaders.length / 2 }, (_, i): Pair => [(rawHeaders[2 * i] ?? '').toLowerCase(), rawHeaders[2 * i + 1] ?? '']);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  use(user: ExchangeUser): void {
    this.#request
      .on('data', (chunk: Buffer) => {
        this.#held += chunk.length;
        if (this.#held >= MAX_HELD) this.#request.pause();
        user.data(chunk);
      })
      .on('end', () => user.ended());
    this.#response.on('drain', () => user.writable());
    this.onOver(() => user.over());
  }

  onOver(fn: () => void): void {
    if (this.#isOver) fn();
    else this.#onOver.push(fn);
  }

  took(bytes: number): void {
    this.#held -= bytes;
    if (this.#held < MAX_HELD && this.#request.isPaused()) this.#request.resume();
  }

  takesLong(): void {
    const { socket } = this.#request;
    socket.setTimeout(0);
    socketOf(socket).setKeepAlive(true, PROBE_MS);
    // Who says that it sends no more has gone, as for Go's server.
    const gone = (): void => this.abort();
    socket.on('end', gone);
    this.onOver(() => socket.off('end', gone));
    if (socket.readableEnded) gone();
    this.#response.emit('long');
  }

  add(name: string, value: string): void {
    this.#response.appendHeader(name, value);
  }

  answer(status: number, headers: readonly Pair[], body: Uint8Array): void {
    if (this.#isOver) return;
    this.#head(status, [...headers, ['content-length', String(body.length)]]);
    this.#response.end(this.method === 'HEAD' ? undefined : body);
  }

  begin(status: number, headers: readonly Pair[]): void {
    if (this.#isOver) return;
    this.#head(status, headers);
    this.#response.flushHeaders();
  }

  write(bytes: Uint8Array): boolean {
    return this.#isOver || this.#response.write(bytes);
  }

  end(): void {
    if (!this.#isOver) this.#response.end();
  }

  abort(): void {
    this.#request.socket.destroy();
  }

  #head(status: number, headers: readonly Pair[]): void {
    this.#response.statusCode = status;
    for (const [name, value] of headers) this.#response.setHeader(name, value);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const fn of this.#onOver.splice(0)) fn();
  }
}
