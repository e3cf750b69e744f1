/**
 * The stream of frames to one peer, on a connection of its own: a gRPC call that never ends, over
 * our own HTTP/2, so that what is sent leaves in the same turn and costs no objects on its way.
 */

import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../base/env.js';
import { KiB } from '../../base/bytes.js';
import { ClientStream, type ClientStreamOwner, type Fields } from '../../http2/client-stream.js';
import { HeaderList } from '../../http2/hpack/header-list.js';
import type { Http2Pool } from '../../http2/pool.js';
import { connectTo, type ClientTls } from '../tls/client-tls.js';
import { SocketTransport } from '../transport/socket-transport.js';
import { META_ASKS, META_CHUNKS, STREAM_PATH } from './peer-codec.js';
import { UnheldTime } from './unheld-time.js';

/** What the socket may hold while the peer does not read. */
const UNSENT_BYTES = 256 * KiB;
/** In the time after which a silent peer is pinged. */
const TICKS = 4;

/** Why a peer ended the stream. */
export interface StreamRefusal {
  /** gRPC's status. */
  readonly code: number;
  readonly details: string;
}

/** Whose stream it is. None of these may throw. */
export interface PeerStreamOwner {
  /** The peer takes it; the formats of chunks and questions that it takes, '' for none. */
  streamUp(stream: PeerStream, chunks: string, asks: string): void;
  /** Some of what waited has left. */
  streamRoom(stream: PeerStream): void;
  /**
   * Once. `refusal`: what the peer says of it, undefined if the connection was lost. Why that was,
   * as far as it is known, is `stream.failure`.
   */
  streamOver(stream: PeerStream, refusal: StreamRefusal | undefined): void;
}

export interface PeerStreamParts {
  readonly clock: Clock;
  readonly pool: Http2Pool;
  /** Milliseconds, see PeerNetworkOptions. */
  readonly silentMs: number;
  /** Cluster, sender and recipient. */
  readonly identity: Readonly<Record<string, string>>;
  /** Undefined: in plain text. */
  readonly tls: ClientTls | undefined;
}

export class PeerStream implements ClientStreamOwner {
  readonly #parts: PeerStreamParts;
  readonly #owner: PeerStreamOwner;
  readonly #socket: Socket;
  readonly #http2: ClientStream;
  #timer: Timer | undefined;
  readonly #time: UnheldTime;
  #over = false;
  #failure: Error | undefined;

  /** `address`: `host:port`. */
  constructor(address: string, parts: PeerStreamParts, owner: PeerStreamOwner) {
    const { clock, pool, silentMs, identity, tls } = parts;
    this.#parts = parts;
    this.#owner = owner;
    // That it is gone is told by 'close', whatever the reason.
    const socket = connectTo(address, tls).on('error', (error) => (this.#failure = error));
    this.#socket = socket;
    const transport = new SocketTransport(socket, { maxUnsentBytes: UNSENT_BYTES, stalledMs: 2 * silentMs });
    const limits = { keepaliveMs: silentMs, keepaliveTimeoutMs: silentMs };
    const head = HeaderList.of(
      [':method', 'POST'], [':scheme', tls === undefined ? 'http' : 'https'], [':path', STREAM_PATH], [':authority', address], ['te', 'trailers'],
      ['content-type', 'application/grpc'], ...Object.entries(identity),
    );
    this.#time = new UnheldTime(clock, silentMs / TICKS);
    this.#http2 = new ClientStream({ transport, pool, limits, owner: this, now: this.#time.now }, head);
    transport.drive(this.#http2);
    this.#armTick();
  }

  /**
   * The peer's machine has taken the connection; its process, which is to answer, may be held up.
   */
  get isTaken(): boolean {
    return !this.#socket.connecting && !this.#socket.destroyed;
  }

  /** What the connection was lost for. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Bytes of messages that are not on their way yet. */
  get waitingBytes(): number {
    return this.#http2.waitingBytes;
  }

  /** A message, which is never changed any more; it leaves with `flush`. */
  write(message: Uint8Array): void {
    // Of gRPC: not compressed, and its length.
    const prefix = new Uint8Array(5);
    new DataView(prefix.buffer).setUint32(1, message.length);
    this.#http2.write(prefix, message);
  }

  flush(): void {
    this.#http2.flush();
  }

  /** The owner wants no more of it, and hears no more of it. */
  cancel(): void {
    this.#stop();
    this.#http2.cancel();
  }

  answered(fields: Fields): void {
    if (fields.get(':status') !== '200') return this.#end({ code: UNKNOWN, details: `HTTP status ${fields.get(':status') ?? 'missing'}` });
    this.#owner.streamUp(this, fields.get(META_CHUNKS) ?? '', fields.get(META_ASKS) ?? '');
  }

  room(): void {
    if (!this.#over) this.#owner.streamRoom(this);
  }

  ended(fields: Fields | undefined): void {
    const status = fields?.get('grpc-status');
    this.#end(status === undefined ? undefined : { code: Number(status), details: decoded(fields?.get('grpc-message') ?? '') });
  }

  #end(refusal: StreamRefusal | undefined): void {
    if (this.#over) return;
    this.#stop();
    this.#http2.cancel();
    this.#owner.streamOver(this, refusal);
  }

  #stop(): void {
    this.#over = true;
    this.#timer?.cancel();
  }

  #armTick(): void {
    const { clock, silentMs } = this.#parts;
    this.#timer = clock.setTimer(silentMs / TICKS, () => {
      this.#http2.tick(this.#time.look());
      if (!this.#over) this.#armTick();
    });
  }
}

/** gRPC's UNKNOWN. */
const UNKNOWN = 2;

/** Of percent-encoded UTF-8; what is no such is taken as it is. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
