/**
 * Lets clients in whose `:authority` is a URL. etcdctl 3.4 sends all of `http://host:port` as the
 * authority for `endpoint status`; nghttp2 refuses the slashes with PROTOCOL_ERROR before any
 * handler runs, and Node has no option for it.
 *
 * The first HEADERS frame of a connection is looked at before Node's HTTP/2 session gets the
 * socket, and slashes in its authority become dots. Afterwards the socket is Node's alone, and
 * nothing is spent per request.
 *
 * A client may wait for our SETTINGS before it sends HEADERS, so an empty one goes out first; its
 * acknowledgement is taken out again, because Node's session never asked for it.
 */

import type { Server as GrpcServer } from '@grpc/grpc-js';
import type { Server, Socket } from 'node:net';
import { patchAuthority } from './hpack-authority.js';

const PREFACE_BYTES = 24;
const FRAME_HEAD = 9;
const HEADERS = 1;
const SETTINGS = 4;
const ACK = 1;
const PADDED = 8;
const PRIORITY = 0x20;
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]);
/** A client that has opened nothing by then is passed on as it is. */
const PATIENCE_MS = 2_000;
const MOST_BYTES = 256 * 1024;

type Look = { readonly state: 'more' } | { readonly state: 'done'; readonly bytes: Buffer };

/**
 * What came so far: patched and without the acknowledgement of our SETTINGS once the first HEADERS
 * frame is complete.
 */
function look(bytes: Buffer, expired: boolean): Look {
  const keep: Buffer[] = [bytes.subarray(0, PREFACE_BYTES)];
  let at = PREFACE_BYTES;
  let sawAck = false;
  let sawHeaders = false;
  while (bytes.length - at >= FRAME_HEAD) {
    const length = bytes.readUIntBE(at, 3);
    const type = bytes[at + 3];
    const flags = bytes[at + 4] as number;
    const end = at + FRAME_HEAD + length;
    if (bytes.length < end) break;
    if (type === SETTINGS && (flags & ACK) !== 0 && !sawAck) {
      sawAck = true;
      at = end;
      continue;
    }
    if (type === HEADERS && !sawHeaders) {
      sawHeaders = true;
      const padding = (flags & PADDED) !== 0 ? (bytes[at + FRAME_HEAD] as number) : 0;
      const skip = ((flags & PADDED) !== 0 ? 1 : 0) + ((flags & PRIORITY) !== 0 ? 5 : 0);
      patchAuthority(bytes, at + FRAME_HEAD + skip, end - padding);
    }
    keep.push(bytes.subarray(at, end));
    at = end;
  }
  if (!sawAck || !(sawHeaders || expired)) return { state: 'more' };
  keep.push(bytes.subarray(at));
  return { state: 'done', bytes: Buffer.concat(keep) };
}

/**
 * Calls `onReady` once the socket may become Node's; what was read is back in the socket's buffer.
 */
export function admit(socket: Socket, onReady: () => void): void {
  let held: Buffer = Buffer.alloc(0);
  let answered = false;
  const end = (bytes: Buffer): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('error', onGone);
    socket.off('close', onGone);
    socket.pause();
    if (bytes.length > 0) socket.unshift(bytes);
    onReady();
  };
  const onGone = (): void => clearTimeout(timer);
  const onData = (chunk: Buffer): void => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (held.length >= PREFACE_BYTES && held.toString('latin1', 0, 3) !== 'PRI') return end(held);
    if (!answered && held.length >= PREFACE_BYTES) {
      answered = true;
      socket.write(EMPTY_SETTINGS);
    }
    judge();
  };
  let expired = false;
  const judge = (): void => {
    const seen: Look = held.length < PREFACE_BYTES ? { state: 'more' } : look(held, expired);
    if (seen.state === 'done') end(seen.bytes);
    else if (held.length > MOST_BYTES) socket.destroy();
  };
  const timer = setTimeout(() => {
    expired = true;
    judge();
  }, PATIENCE_MS);
  socket.on('data', onData);
  socket.on('error', onGone);
  socket.on('close', onGone);
}

/**
 * To be called once per listening server: grpc-js keeps the HTTP/2 servers it made in a private map
 * (version pinned).
 */
export function admitUrlAuthorities(server: GrpcServer): void {
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Server, unknown> };
  for (const http2Server of http2Servers.keys()) {
    const listeners = http2Server.listeners('connection');
    const original = listeners[0];
    if (original === undefined || admitting.has(http2Server)) continue;
    admitting.add(http2Server);
    http2Server.removeAllListeners('connection');
    http2Server.on('connection', (socket: Socket) => admit(socket, () => Reflect.apply(original, http2Server, [socket])));
  }
}

const admitting = new WeakSet<Server>();
