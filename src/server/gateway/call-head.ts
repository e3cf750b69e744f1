/**
 * The head of the call of gRPC that a request over HTTP means. As grpc-gateway makes it: the
 * `Authorization`, the `Grpc-Timeout` and whatever begins with `Grpc-Metadata-` go along, nothing
 * else does.
 */

import { KiB } from '../../base/bytes.js';
import { Code } from '../../grpc/code.js';
import { decodeBinary } from '../../grpc/metadata.js';
import { RpcError } from '../../grpc/status.js';
import { parseTimeout } from '../../grpc/timeout.js';
import { Field } from '../../http2/hpack/field.js';
import { RequestHead } from '../../http2/request-head.js';
import type { Exchange } from '../web/exchange.js';

const PREFIX = 'grpc-metadata-';
const TIMEOUT = 'grpc-timeout';
/** What gRPC says itself. */
const RESERVED = /^(grpc-|:)|^(content-type|user-agent|te)$/;
const KEY = /^[0-9a-z_.-]+$/;
/** Node's server and HTTP/2 take less. */
const MAX_LIST_BYTES = 256 * KiB;

/** Throws RpcError. */
export function callHead(path: string, exchange: Exchange): RequestHead {
  const head = new RequestHead(MAX_LIST_BYTES);
  const add = (name: string, value: string): void => void head.field(new Field(name, value));
  add(':method', 'POST');
  add(':scheme', exchange.secure ? 'https' : 'http');
  add(':path', path);
  add('content-type', 'application/grpc');
  for (const [name, value] of exchange.headers) {
    if (name === 'authorization') add(name, value);
    else if (name === TIMEOUT) add(name, checkedTimeout(value));
    else if (name.startsWith(PREFIX)) addMetadata(add, name.slice(PREFIX.length), value);
  }
  return head;
}

function checkedTimeout(value: string): string {
  if (typeof parseTimeout(value) === 'string') throw new RpcError(Code.INVALID_ARGUMENT, `invalid grpc-timeout: ${value}`);
  return value;
}

function addMetadata(add: (name: string, value: string) => void, key: string, value: string): void {
  if (!KEY.test(key) || RESERVED.test(key)) return;
  if (key.endsWith('-bin') && decodeBinary(value) === undefined) {
    const name = `${PREFIX}${key}`.replace(/(?<=^|-)[a-z]/g, (letter) => letter.toUpperCase());
    throw new RpcError(Code.INVALID_ARGUMENT, `invalid binary header ${name}: illegal base64 data at input byte ${brokenAt(value)}`);
  }
  add(key, value);
}

/** Where Go's decoder gives up on what is no base64: with padding if it comes in whole fours. */
function brokenAt(value: string): number {
  const letters = (/^[A-Za-z0-9+/]*/.exec(value)?.[0] ?? '').length;
  if (value.length % 4 !== 0) return Math.min(letters, value.length - 1);
  const padding = '='.repeat((4 - (letters % 4)) % 4);
  return padding.length < 3 && value.startsWith(padding, letters) ? letters + padding.length : letters;
}
