/** How grpc-gateway says a status of gRPC over HTTP: a code, and a message in JSON. */

import { utf8 } from '../../base/bytes.js';
import { Code, type StatusCode } from '../../grpc/code.js';
import type { RpcStatus } from '../../grpc/status.js';
import type { Pair } from '../../http2/hpack/header-list.js';
import type { Exchange } from '../web/exchange.js';

const HTTP_STATUS: Readonly<Record<StatusCode, number>> = {
  [Code.OK]: 200,
  [Code.CANCELLED]: 499,
  [Code.UNKNOWN]: 500,
  [Code.INVALID_ARGUMENT]: 400,
  [Code.DEADLINE_EXCEEDED]: 504,
  [Code.NOT_FOUND]: 404,
  [Code.ALREADY_EXISTS]: 409,
  [Code.PERMISSION_DENIED]: 403,
  [Code.RESOURCE_EXHAUSTED]: 429,
  [Code.FAILED_PRECONDITION]: 400,
  [Code.ABORTED]: 409,
  [Code.OUT_OF_RANGE]: 400,
  [Code.UNIMPLEMENTED]: 501,
  [Code.INTERNAL]: 500,
  [Code.UNAVAILABLE]: 503,
  [Code.DATA_LOSS]: 500,
  [Code.UNAUTHENTICATED]: 401,
};

export const JSON_TYPE: Pair = ['content-type', 'application/json'];

export function httpStatus(code: StatusCode): number {
  return HTTP_STATUS[code];
}

/** `google.rpc.Status`, without what has its default. */
export function statusJson({ code, details }: RpcStatus): string {
  return JSON.stringify({ ...(code === Code.OK ? {} : { code }), ...(details === '' ? {} : { message: details }) });
}

/** A whole answer. */
export function refuse(exchange: Exchange, status: RpcStatus): void {
  const headers: Pair[] = [JSON_TYPE];
  if (status.code === Code.UNAUTHENTICATED) headers.push(['www-authenticate', status.details.replaceAll(/[^\x20-\x7e]/g, '?')]);
  exchange.answer(httpStatus(status.code), headers, utf8(statusJson(status)));
}
