/** Many requests, and one response or many. The handler begins with the head of the request. */

import type { Http2Stream } from '../http2/stream.js';
import { Call } from './call.js';
import type { CallHead } from './call-head.js';
import { CallSender } from './call-sender.js';
import { Code } from './code.js';
import type { RequestStreamMethod } from './method.js';
import { RequestQueue, type RequestOwner } from './request-queue.js';
import type { Shared } from './shared.js';
import type { RpcStatus } from './status.js';

export class RequestStreamCall extends Call implements RequestOwner {
  readonly #method: RequestStreamMethod;
  readonly #requests: RequestQueue;
  readonly #out: CallSender;

  constructor(shared: Shared, stream: Http2Stream, head: CallHead, method: RequestStreamMethod) {
    super(shared);
    this.#method = method;
    this.#requests = new RequestQueue(this, shared, stream, head.encoding);
    this.#out = new CallSender(this, stream);
  }

  /** `ended`: nothing follows the head. */
  begin(stream: Http2Stream, head: CallHead, ended: boolean): void {
    this.open(stream, head, false);
    if (ended) this.#requests.push(new Uint8Array(0), 0, 0, true);
    const refusal = this.shared.guard.refuse(this);
    if (refusal !== undefined) {
      this.refuse(refusal);
      return;
    }
    this.running = true;
    this.#carryOut().then(() => this.#done(), (error: unknown) => this.failed(error));
  }

  override data(bytes: Uint8Array, from: number, to: number, ended: boolean): void {
    this.received(to - from);
    this.#requests.push(bytes, from, to, ended);
  }

  override writable(): void {
    this.#out.goOn();
  }

  awaitingPart(is: boolean): void {
    if (!this.concluded) this.receiving(is);
  }

  unreadable(status: RpcStatus): void {
    if (!this.concluded) this.fail(status);
  }

  protected override send(_stream: Http2Stream, status: RpcStatus): void {
    this.#out.fail(status);
  }

  protected override cancel(cause: RpcStatus): void {
    super.cancel(cause);
    this.#requests.fail(cause);
    this.#out.goOn();
  }

  protected override dropRequest(): void {
    this.#requests.drop();
  }

  protected override recycle(): void {}

  async #carryOut(): Promise<void> {
    await this.#method.handle(this.#requests, this.#out, this);
  }

  #done(): void {
    if (!this.cameBack()) return;
    this.conclude(Code.OK);
    this.dropRequest();
    this.#out.end();
  }
}
