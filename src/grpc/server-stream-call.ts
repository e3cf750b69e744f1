/** One request, many responses. */

import type { Http2Stream } from '../http2/stream.js';
import { CallSender } from './call-sender.js';
import { Code } from './code.js';
import type { ServerStreamMethod } from './method.js';
import { SingleRequestCall } from './single-request-call.js';
import type { RpcStatus } from './status.js';
import type { Shared } from './shared.js';

export class ServerStreamCall extends SingleRequestCall {
  readonly #method: ServerStreamMethod;
  readonly #out: CallSender;

  constructor(shared: Shared, stream: Http2Stream, method: ServerStreamMethod) {
    super(shared);
    this.#method = method;
    this.#out = new CallSender(this, stream);
  }

  override writable(): void {
    this.#out.goOn();
  }

  protected override handle(request: Uint8Array): void {
    this.running = true;
    this.#carryOut(request).then(() => this.#done(), (error: unknown) => this.failed(error));
  }

  protected override send(_stream: Http2Stream, status: RpcStatus): void {
    this.#out.fail(status);
  }

  protected override cancel(cause: RpcStatus): void {
    super.cancel(cause);
    this.#out.goOn();
  }

  protected override recycle(): void {}

  async #carryOut(request: Uint8Array): Promise<void> {
    await this.#method.handle(request, this.#out, this);
  }

  #done(): void {
    if (!this.cameBack()) return;
    this.conclude(Code.OK);
    this.#out.end();
  }
}
