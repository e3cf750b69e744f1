/**
 * How a call ended, and how that is written into header fields (gRPC over HTTP/2, "Responses").
 *
 * A status goes out in the trailers of a response that has begun; before that it is the whole
 * response: one header block that ends the stream ("trailers-only").
 */

import { must } from '../base/assert.js';
import { utf8 } from '../base/bytes.js';
import { HeaderList, type Pair } from '../http2/hpack/header-list.js';
import { Code, type StatusCode } from './code.js';

export interface RpcStatus {
  readonly code: StatusCode;
  /** For people, and for clients that match it. Any text; a very long one is cut. */
  readonly details: string;
  /** A google.rpc.Status in bytes, sent as `grpc-status-details-bin`; at most a few KiB. */
  readonly statusDetails?: Uint8Array | undefined;
}

/** A refusal by the RPC layer itself. */
export class RpcError extends Error implements RpcStatus {
  override readonly name = 'RpcError';
  readonly code: StatusCode;
  readonly details: string;
  readonly statusDetails: Uint8Array | undefined;

  constructor(code: StatusCode, details: string, statusDetails?: Uint8Array) {
    super(details);
    this.code = code;
    this.details = details;
    this.statusDetails = statusDetails;
  }
}

export const CANCELLED: RpcStatus = { code: Code.CANCELLED, details: 'context canceled' };
export const DEADLINE_EXCEEDED: RpcStatus = { code: Code.DEADLINE_EXCEEDED, details: 'context deadline exceeded' };

/**
 * Characters of an encoded `grpc-message`. Clients refuse a header list beyond their limit (8 KiB
 * is usual), and would lose the code with it.
 */
const MAX_MESSAGE = 4096;

/** Printable ASCII without '%', and no blank at either end, which a header field may not have. */
const PLAIN = /^(?! )[\x20-\x24\x26-\x7e]*(?<! )$/;

const UNRESERVED_FROM = 0x20;
const UNRESERVED_TO = 0x7e;
const PERCENT = 0x25;

/** Percent-encodes what `grpc-message` may not hold; UTF-8 below it. Whole characters only. */
export function encodeMessage(text: string): string {
  if (text.length <= MAX_MESSAGE && PLAIN.test(text)) return text;
  let out = '';
  let index = 0;
  for (const character of text) {
    const atEdge = index === 0 || index + character.length === text.length;
    const piece = atEdge && character === ' ' ? '%20' : encodeCharacter(character);
    if (out.length + piece.length > MAX_MESSAGE) break;
    out += piece;
    index += character.length;
  }
  return out.endsWith(' ') ? `${out.slice(0, -1)}%20` : out;
}

function encodeCharacter(character: string): string {
  let out = '';
  for (const byte of utf8(character)) {
    if (byte >= UNRESERVED_FROM && byte <= UNRESERVED_TO && byte !== PERCENT) out += String.fromCharCode(byte);
    else out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

const HTTP_OK: Pair = [':status', '200'];
const CONTENT_TYPE: Pair = ['content-type', 'application/grpc'];

/** What each response begins with, unless it is trailers-only. */
export const RESPONSE_HEADERS = HeaderList.of(HTTP_OK, CONTENT_TYPE);

/** What each response ends with that went well. */
export const OK_TRAILERS = HeaderList.of(['grpc-status', '0']);

function statusFields(status: RpcStatus): Pair[] {
  const fields: Pair[] = [['grpc-status', String(status.code)]];
  if (status.details !== '') fields.push(['grpc-message', encodeMessage(status.details)]);
  if (status.statusDetails !== undefined) fields.push(['grpc-status-details-bin', toBase64(status.statusDetails)]);
  return fields;
}

/** Without padding, as grpc-go writes it. */
function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replace(/=+$/, '');
}

/** The status that a list of this process says: for who carries calls otherwise than by HTTP/2. */
export function statusIn(list: HeaderList): RpcStatus {
  const fields = new Map(list.pairs);
  const code = must(fields.get('grpc-status'), 'the end of a response says its status');
  return { code: Number(code) as StatusCode, details: decodeURIComponent(fields.get('grpc-message') ?? '') };
}

/** Ends a response that has begun. */
export function trailersOf(status: RpcStatus): HeaderList {
  return status.code === Code.OK ? OK_TRAILERS : HeaderList.once(...statusFields(status));
}

/** A whole response: headers that end the stream. */
export function trailersOnly(status: RpcStatus): HeaderList {
  return HeaderList.once(HTTP_OK, CONTENT_TYPE, ...statusFields(status));
}

/** Refuses a call for an encoding that is not read, and says which are (gRPC "Compression"). */
export function encodingRefused(status: RpcStatus, accepted: string): HeaderList {
  return HeaderList.once(HTTP_OK, CONTENT_TYPE, ...statusFields(status), ['grpc-accept-encoding', accepted]);
}

/** Refuses what is no call of gRPC: with the HTTP status that says so to others. */
export function httpRefused(httpStatus: 400 | 405 | 415, status: RpcStatus): HeaderList {
  return HeaderList.once([':status', String(httpStatus)], CONTENT_TYPE, ...statusFields(status));
}
