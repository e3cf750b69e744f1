/**
 * Frames as a client writes and reads them, well formed or not: nothing is shared with what ships.
 */

export const T = {
  DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9,
} as const;
export const F = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const;

export const PREFACE: Uint8Array = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

export function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array = Buffer.alloc(0), length = payload.length): Buffer {
  return Buffer.concat([Buffer.from([length >> 16, length >> 8, length, type, flags]), u32(id), payload]);
}

export interface DataShape {
  readonly end?: boolean;
  /** Bytes of padding; undefined: none, and no length of it. */
  readonly pad?: number;
}

const padded = (payload: Uint8Array, pad: number | undefined): Uint8Array =>
  pad === undefined ? payload : Buffer.concat([Buffer.from([pad]), payload, Buffer.alloc(pad)]);

export function data(id: number, payload: Uint8Array | string, { end = false, pad }: DataShape = {}): Buffer {
  const flags = (end ? F.END_STREAM : 0) | (pad === undefined ? 0 : F.PADDED);
  return frame(T.DATA, flags, id, padded(typeof payload === 'string' ? Buffer.from(payload) : payload, pad));
}

export interface HeadersShape extends DataShape {
  readonly endHeaders?: boolean;
  /** The stream that it depends on. */
  readonly dependsOn?: number;
}

export function headers(id: number, block: Uint8Array, { end = false, pad, endHeaders = true, dependsOn }: HeadersShape = {}): Buffer {
  let flags = (end ? F.END_STREAM : 0) | (endHeaders ? F.END_HEADERS : 0);
  if (pad !== undefined) flags |= F.PADDED;
  if (dependsOn !== undefined) flags |= F.PRIORITY;
  const content = dependsOn === undefined ? block : Buffer.concat([u32(dependsOn), Buffer.from([15]), block]);
  return frame(T.HEADERS, flags, id, padded(content, pad));
}

export function continuation(id: number, part: Uint8Array, endHeaders: boolean): Buffer {
  return frame(T.CONTINUATION, endHeaders ? F.END_HEADERS : 0, id, part);
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const entries = pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id]), u32(value)]));
  return frame(T.SETTINGS, 0, 0, Buffer.concat(entries));
}

export const settingsAck = (): Buffer => frame(T.SETTINGS, F.ACK, 0);
export const ping = (number = 0, ack = false): Buffer => frame(T.PING, ack ? F.ACK : 0, 0, Buffer.concat([u32(0), u32(number)]));
export const rstStream = (id: number, code: number): Buffer => frame(T.RST_STREAM, 0, id, u32(code));
export const windowUpdate = (id: number, increment: number): Buffer => frame(T.WINDOW_UPDATE, 0, id, u32(increment));
export const goaway = (lastId: number, code: number): Buffer => frame(T.GOAWAY, 0, 0, Buffer.concat([u32(lastId), u32(code)]));

export function priority(id: number, dependsOn: number): Buffer {
  return frame(T.PRIORITY, 0, id, Buffer.concat([u32(dependsOn), Buffer.from([15])]));
}

/** Whole frames, and the bytes of one that has not ended. */
export function parseFrames(bytes: Buffer): { readonly frames: Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    frames.push({
      type: bytes.readUInt8(at + 3), flags: bytes.readUInt8(at + 4), id: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}
