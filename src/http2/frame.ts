/**
 * The shape of frames (RFC 9113, 4.1): nine bytes of length (24 bits), type, flags and stream, then
 * the payload. Frames of both directions stay within the initial SETTINGS_MAX_FRAME_SIZE, which
 * every peer must take.
 */

export const FRAME_HEADER_BYTES = 9;
/** Of a payload. */
export const MAX_FRAME_BYTES = 16_384;
/** The largest flow-control window (RFC 9113, 6.9.1), and the largest stream id. */
export const MAX_31_BITS = 0x7fff_ffff;
/** Each window before SETTINGS and WINDOW_UPDATE say otherwise (RFC 9113, 6.9.2). */
export const INITIAL_WINDOW_BYTES = 65_535;

export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

export const Flag = {
  /** Of SETTINGS and PING. */
  ACK: 0x1,
  /** Of DATA and HEADERS. */
  END_STREAM: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

export function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function readU24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) | readU24(bytes, at + 1)) >>> 0;
}

/** The highest bit is reserved and means nothing (stream ids, window increments). */
export function readU31(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) & 0x7f) << 24) | readU24(bytes, at + 1);
}
