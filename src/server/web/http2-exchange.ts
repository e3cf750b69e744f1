/** An exchange of HTTP/2 that is no call of gRPC. */

import { EMPTY } from '../../base/bytes.js';
import { Http2Code } from '../../http2/error-code.js';
import { HeaderList, NO_TRAILERS, type Pair } from '../../http2/hpack/header-list.js';
import type { RequestHead } from '../../http2/request-head.js';
import type { Http2Stream } from '../../http2/stream.js';
import type { Exchange, ExchangeUser } from './exchange.js';

export class Http2Exchange implements Exchange {
  /** Until it is over. */
  #stream: Http2Stream | undefined;
  readonly #head: RequestHead;
  readonly #added: Pair[] = [];
  readonly #onOver: (() => void)[] = [];
  readonly #ended: boolean;
  #user: ExchangeUser | undefined;
  readonly clientName: string | undefined;

  /** `ended`: there is no body. */
  constructor(stream: Http2Stream, head: RequestHead, ended: boolean) {
    this.#stream = stream;
    this.#head = head;
    this.#ended = ended;
    this.clientName = stream.peerName;
    stream.app = this;
  }

  /** They do not queue. */
  get connection(): object {
    return this;
  }

  get method(): string {
    return this.#head.method.value;
  }

  get target(): string {
    return this.#head.path.value;
  }

  get host(): string {
    return this.#head.authority?.value ?? this.header('host') ?? '';
  }

  get secure(): boolean {
    return true;
  }

  get headers(): Iterable<Pair> {
    return this.#head.fields.map(({ name, value }): Pair => [name, value]);
  }

  get isOver(): boolean {
    return this.#stream === undefined;
  }

  get unsentBytes(): number {
    return this.#stream?.unsentOfConnection ?? 0;
  }

  header(name: string): string | undefined {
    return this.#head.fields.find((field) => field.name === name)?.value;
  }

  use(user: ExchangeUser): void {
    this.#user = user;
    if (this.isOver) user.over();
    else if (this.#ended) user.ended();
  }

  onOver(fn: () => void): void {
    if (this.isOver) fn();
    else this.#onOver.push(fn);
  }

  took(bytes: number): void {
    this.#stream?.consumed(bytes);
  }

  /** Time is set for what a client does not take, and for nothing else. */
  takesLong(): void {}

  add(name: string, value: string): void {
    this.#added.push([name, value]);
  }

  answer(status: number, headers: readonly Pair[], body: Uint8Array): void {
    const list = this.#list(status, [...headers, ['content-length', String(body.length)]]);
    if (this.method === 'HEAD' || body.length === 0) this.#stream?.respondOnly(list);
    else this.#stream?.respond(list, EMPTY, body, NO_TRAILERS);
  }

  begin(status: number, headers: readonly Pair[]): void {
    this.#stream?.headers(this.#list(status, headers));
  }

  write(bytes: Uint8Array): boolean {
    return this.#stream?.data(EMPTY, bytes) ?? true;
  }

  end(): void {
    this.#stream?.trailers(NO_TRAILERS);
  }

  abort(): void {
    this.#stream?.reset(Http2Code.CANCEL);
  }

  /** A part of the body, which is overwritten after the return. */
  data(bytes: Uint8Array, from: number, to: number, ended: boolean): void {
    if (this.#user === undefined) this.took(to - from);
    else if (to > from) this.#user.data(bytes.slice(from, to));
    if (ended) this.#user?.ended();
  }

  writable(): void {
    this.#user?.writable();
  }

  over(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#user?.over();
    for (const fn of this.#onOver.splice(0)) fn();
    stream?.release();
  }

  #list(status: number, headers: readonly Pair[]): HeaderList {
    return HeaderList.once([':status', String(status)], ...this.#added, ...headers);
  }
}
