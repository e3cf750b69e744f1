/**
 * What the head of a request says to gRPC: which method, how long, in which encoding, or why it is
 * refused. It is made once for all requests of a connection with an equal header block
 * ({@link RequestHead.memo}), and never changes.
 *
 * What is refused, in which order and with which words follows grpc-go: no gRPC (415), a malformed
 * timeout or malformed binary metadata (400), not POST (405), an unknown method, an unknown
 * encoding. Of a field that may come once, the last counts.
 */

import type { HeaderList } from '../http2/hpack/header-list.js';
import type { RequestHead } from '../http2/request-head.js';
import { Code } from './code.js';
import type { Encoding } from './hooks.js';
import { Metadata } from './metadata.js';
import type { Route, Routes } from './routes.js';
import { encodingRefused, httpRefused, trailersOnly, type RpcStatus } from './status.js';
import { parseTimeout } from './timeout.js';

const GRPC = 'application/grpc';
const ACCEPTED = 'identity,deflate,gzip';

export class CallHead {
  readonly route: Route;
  /** Undefined: messages are not compressed. */
  readonly encoding: Encoding | undefined;
  /** Undefined: no deadline. */
  readonly timeoutMs: number | undefined;
  readonly metadata: Metadata;

  constructor(route: Route, encoding: Encoding | undefined, timeoutMs: number | undefined, metadata: Metadata) {
    this.route = route;
    this.encoding = encoding;
    this.timeoutMs = timeoutMs;
    this.metadata = metadata;
  }
}

/** A request that is no call of a method that is served: its whole answer. */
export class RefusedHead {
  readonly answer: HeaderList;

  constructor(answer: HeaderList) {
    this.answer = answer;
  }
}

function isGrpc(contentType: string): boolean {
  if (contentType === GRPC) return true;
  return contentType.startsWith(GRPC) && (contentType[GRPC.length] === '+' || contentType[GRPC.length] === ';');
}

const quoted = (text: string): string => JSON.stringify(text);
const internal = (details: string): RpcStatus => ({ code: Code.INTERNAL, details });

/** Reads the head of a request, which is well-formed HTTP. */
export function readCallHead(head: RequestHead, routes: Routes): CallHead | RefusedHead {
  let contentType: string | undefined;
  let grpc = false;
  let encoding: string | undefined;
  let timeout: number | string | undefined;
  for (const { name, value } of head.fields) {
    if (name === 'content-type') {
      if (isGrpc(value)) grpc = true;
      else contentType = value;
    } else if (name === 'grpc-encoding') encoding = value;
    else if (name === 'grpc-timeout') timeout = parseTimeout(value);
  }
  if (!grpc) {
    const details = `invalid gRPC request content-type ${quoted(contentType ?? '')}`;
    return new RefusedHead(httpRefused(415, { code: Code.INVALID_ARGUMENT, details }));
  }
  if (typeof timeout === 'string') return new RefusedHead(httpRefused(400, internal(`malformed grpc-timeout: ${timeout}`)));
  const metadata = new Metadata(head.fields);
  const malformed = metadata.malformed();
  if (malformed !== undefined) {
    const details = `malformed binary metadata ${quoted(malformed.value)} in header ${quoted(malformed.name)}: illegal base64 data`;
    return new RefusedHead(httpRefused(400, internal(details)));
  }
  if (head.method.value !== 'POST') {
    const details = `Received a HEADERS frame with :method ${quoted(head.method.value)} which should be POST`;
    return new RefusedHead(httpRefused(405, internal(details)));
  }
  const path = head.path.value;
  const route = routes.find(path);
  if (route === undefined) return new RefusedHead(trailersOnly(routes.unknown(path)));
  if (encoding === undefined || encoding === '' || encoding === 'identity') return new CallHead(route, undefined, timeout, metadata);
  if (encoding === 'gzip' || encoding === 'deflate') return new CallHead(route, encoding, timeout, metadata);
  const details = `grpc: Decompressor is not installed for grpc-encoding ${quoted(encoding)}`;
  return new RefusedHead(encodingRefused({ code: Code.UNIMPLEMENTED, details }, ACCEPTED));
}
