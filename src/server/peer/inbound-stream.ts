/**
 * The stream of one peer to this node: its messages to frames. What does not parse ends the stream;
 * its sender opens another one. It holds at most one frame in the making, and none once it is over.
 */

import { status as Status, type ServerReadableStream } from '@grpc/grpc-js';
import type { NetworkHandler } from '../../base/env.js';
import { CodecError, messageOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { FrameAssembler } from './chunks.js';
import { decodeBatch } from './peer-codec.js';

type FrameHandler = Pick<NetworkHandler, 'onFrame'>;

export type InStream = ServerReadableStream<Buffer, Buffer>;

export class InboundStream {
  readonly from: NodeId;
  readonly call: InStream;
  #assembler: FrameAssembler | undefined;

  constructor(from: NodeId, call: InStream, maxFrameBytes: number) {
    this.from = from;
    this.call = call;
    this.#assembler = new FrameAssembler(maxFrameBytes);
  }

  /** Bytes held for a frame in the making. */
  get heldBytes(): number {
    return this.#assembler?.heldBytes ?? 0;
  }

  /** It is over: nothing more is put together. */
  release(): void {
    this.#assembler = undefined;
  }

  /** Hands the frames of a message on. Throws CodecError: the stream is of no more use. */
  take(message: Uint8Array, handler: FrameHandler): void {
    decodeBatch(
      message,
      (frame) => handler.onFrame(this.from, frame),
      (chunk) => {
        const frame = this.#assembler?.take(chunk);
        if (frame !== undefined) handler.onFrame(this.from, frame);
      },
    );
  }

  /** Ends it, and tells the peer why. */
  refuse(error: unknown): void {
    if (!(error instanceof CodecError)) throw error;
    this.end(Status.INTERNAL, messageOf(error));
  }

  /** As gRPC says it. */
  end(code: Status, details: string): void {
    this.release();
    this.call.emit('error', { code, details });
  }
}
