/**
 * A call of a method of the client port without a port: the caller's metadata, and streams in
 * memory. Whoever writes faster than the other side reads waits, as on a connection.
 */

import { Code } from '../grpc/code.js';
import type { Sender, ServerCall } from '../grpc/method.js';
import { RpcError } from '../grpc/status.js';

/** Messages of a stream that wait to be read. */
const AHEAD = 4;

const cancelled = (): RpcError => new RpcError(Code.CANCELLED, 'context canceled');

export class LocalCall implements ServerCall {
  readonly clientCommonName = undefined;
  readonly deadline = undefined;
  caller: object | undefined;
  readonly #metadata: ReadonlyMap<string, string>;
  readonly #onCancel: (() => void)[] = [];
  #cancelled = false;

  /** `caller`: in whose name; undefined: the metadata says it. */
  constructor(metadata: ReadonlyMap<string, string>, caller: object | undefined) {
    this.#metadata = metadata;
    this.caller = caller;
  }

  metadata(name: string): string | undefined {
    return this.#metadata.get(name);
  }

  metadataBytes(): undefined {
    return undefined;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  onCancel(fn: () => void): void {
    if (this.#cancelled) fn();
    else this.#onCancel.push(fn);
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    for (const fn of this.#onCancel.splice(0)) fn();
  }
}

/** Messages in one direction: written, then read, in order. */
export class Pipe implements AsyncIterable<Uint8Array> {
  readonly #messages: Uint8Array[] = [];
  #over = false;
  #error: unknown;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** Resolves when more may be written. Rejects with RpcError if nobody reads any more. */
  async write(message: Uint8Array): Promise<void> {
    if (this.#over) throw cancelled();
    this.#messages.push(message);
    this.#wakeReader?.();
    while (this.#messages.length >= AHEAD && !this.#over) await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    if (this.#over) throw cancelled();
  }

  /** What was written is still read; then comes the error, if there is one. Once. */
  end(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  /** Nothing more is read: what waits is dropped. */
  break(error?: unknown): void {
    this.#messages.length = 0;
    this.end(error);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#wakeWriter?.();
        yield message;
      } else if (this.#over) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }
}

export class PipeSender implements Sender {
  readonly #pipe: Pipe;
  readonly #call: LocalCall;

  constructor(pipe: Pipe, call: LocalCall) {
    this.#pipe = pipe;
    this.#call = call;
  }

  get cancelled(): boolean {
    return this.#call.cancelled;
  }

  onCancel(fn: () => void): void {
    this.#call.onCancel(fn);
  }

  write(message: Uint8Array): Promise<void> {
    return this.#pipe.write(message);
  }
}
