/**
 * What a connection knows of one stream. Records are used again: `begin` sets every field but those
 * that the request says, which its reader sets, and those that `drop` has left empty. Between
 * `over` and `released` the layer above may still call its methods, which then do nothing.
 */

import { assert, must } from '../base/assert.js';
import type { HeaderList } from './hpack/header-list.js';
import { PayloadQueue } from './payload-queue.js';
import { ReceiveWindow } from './receive-window.js';
import type { Ring } from './send-queue.js';
import type { Http2Stream } from './stream.js';

/** How far the response has been given by the layer above. */
export type ResponsePhase = 'none' | 'begun' | 'ended';

/** The connection's side of its streams. */
export interface StreamOwner {
  /** Bytes of whole responses that wait to be sent. */
  readonly unsentBytes: number;
  /** See {@link Http2Stream.peerName}. */
  readonly peerName: string | undefined;
  respond(stream: StreamRecord, headers: HeaderList, prefix: Uint8Array, body: Uint8Array, trailers: HeaderList): void;
  respondOnly(stream: StreamRecord, headers: HeaderList): void;
  headers(stream: StreamRecord, list: HeaderList): void;
  data(stream: StreamRecord, prefix: Uint8Array, body: Uint8Array): boolean;
  trailers(stream: StreamRecord, list: HeaderList): void;
  reset(stream: StreamRecord, code: number): void;
  consumed(stream: StreamRecord, bytes: number): void;
  released(stream: StreamRecord): void;
}

export class StreamRecord implements Http2Stream {
  id = 0;
  app: unknown = undefined;
  over = true;
  released = true;
  /** Of the connection that it belongs to; undefined: none. */
  owner: StreamOwner | undefined = undefined;

  /** The request has ended. */
  requestEnded = false;
  /** Bytes of the body that are still to come by `content-length`; negative: not said. */
  contentLeft = -1;
  readonly receiveWindow = new ReceiveWindow(0);

  phase: ResponsePhase = 'none';
  /** Headers, payload and trailers that were given and have not gone out. */
  headersWaiting: HeaderList | undefined = undefined;
  readonly payload = new PayloadQueue();
  trailersWaiting: HeaderList | undefined = undefined;
  /** The payload that waits is that of a whole response: nobody is kept waiting by it. */
  whole = false;
  /** What waited when it was last looked at, in units of `stalled.ts`. */
  looked = -1;
  /** `data` has answered false. */
  wantsWritable = false;
  windowOffset = 0;

  /** Its place in the send queue, which alone sets these. */
  ring: Ring | undefined = undefined;
  previous: StreamRecord | undefined = undefined;
  next: StreamRecord | undefined = undefined;

  begin(id: number, owner: StreamOwner): void {
    this.id = id;
    this.owner = owner;
    this.over = false;
    this.released = false;
    this.phase = 'none';
    this.whole = false;
    this.looked = -1;
    this.windowOffset = 0;
    this.wantsWritable = false;
  }

  get unsentBytes(): number {
    return this.payload.bytes;
  }

  get peerName(): string | undefined {
    return this.owner?.peerName;
  }

  get unsentOfConnection(): number {
    return this.owner?.unsentBytes ?? 0;
  }

  respond(headers: HeaderList, prefix: Uint8Array, body: Uint8Array, trailers: HeaderList): void {
    if (!this.over) must(this.owner, 'open').respond(this, headers, prefix, body, trailers);
  }

  respondOnly(headers: HeaderList): void {
    if (!this.over) must(this.owner, 'open').respondOnly(this, headers);
  }

  headers(list: HeaderList): void {
    if (!this.over) must(this.owner, 'open').headers(this, list);
  }

  data(prefix: Uint8Array, body: Uint8Array): boolean {
    return this.over || must(this.owner, 'open').data(this, prefix, body);
  }

  trailers(list: HeaderList): void {
    if (!this.over) must(this.owner, 'open').trailers(this, list);
  }

  reset(code: number): void {
    if (!this.over) must(this.owner, 'open').reset(this, code);
  }

  consumed(bytes: number): void {
    if (!this.over) must(this.owner, 'open').consumed(this, bytes);
  }

  release(): void {
    assert(!this.released, 'a stream is released once');
    this.released = true;
    if (this.over) must(this.owner, 'lingering').released(this);
  }

  /** Nothing of it waits any more. */
  drop(): void {
    if (this.ring !== undefined) this.ring.remove(this);
    this.payload.clear();
    this.headersWaiting = undefined;
    this.trailersWaiting = undefined;
  }

  /** Nothing refers to the last request. */
  forget(): void {
    this.app = undefined;
    this.owner = undefined;
  }
}
