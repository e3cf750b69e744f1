/**
 * JSON over HTTP to the methods of the client port, as etcd's gateway has it. A request becomes a
 * call of gRPC on a stream without HTTP/2 below it, so what holds for calls of gRPC holds for it:
 * who may make them, deadlines, sizes, what is held for slow readers, and how they are counted.
 */

import type { Clock, Workers } from '../../base/env.js';
import { MessageSchemas, type MethodSchemas } from '../../api/protos/message-schemas.js';
import { ByteBudget } from '../../grpc/byte-budget.js';
import { Code } from '../../grpc/code.js';
import type { MethodTable } from '../../grpc/method.js';
import { RpcError, type RpcStatus } from '../../grpc/status.js';
import type { RequestHandler } from '../../http2/request-handler.js';
import type { RequestHead } from '../../http2/request-head.js';
import type { Exchange } from '../web/exchange.js';
import type { Calls } from '../web/site.js';
import { callHead } from './call-head.js';
import { refuse } from './http-status.js';
import { ManyJsonRequests, SingleJsonRequest, type RequestParts } from './json-request.js';
import { GATEWAY_PATHS } from './routes.js';

export interface GatewayParts {
  readonly methods: MethodTable;
  /** Carries the calls out. */
  readonly calls: RequestHandler;
  readonly workers: Workers;
  readonly clock: Clock;
  /** Of a message of a request, in bytes of protobuf. */
  readonly maxReceiveBytes: number;
  /** Of requests that have come in part, over all. */
  readonly maxUnfinishedBytes: number;
  readonly receiveMs: number;
}

/** Base64 takes a third more; names and escapes are given the rest. */
const JSON_FACTOR = 2;
const FORM_TYPE = 'application/x-www-form-urlencoded';
const NO_PATH: RpcStatus = { code: Code.NOT_FOUND, details: 'Not Found' };
const NOT_POST: RpcStatus = { code: Code.UNIMPLEMENTED, details: 'Method Not Allowed' };

interface Route {
  readonly path: string;
  readonly schemas: MethodSchemas;
}

export class Gateway implements Calls {
  readonly #request: RequestParts;
  readonly #routes = new Map<string, Route>();

  constructor({ methods, calls, workers, clock, maxReceiveBytes, maxUnfinishedBytes, receiveMs }: GatewayParts) {
    const held = new ByteBudget(maxUnfinishedBytes);
    this.#request = { calls, workers, clock, maxBytes: JSON_FACTOR * maxReceiveBytes, held, receiveMs };
    const schemas = new MessageSchemas();
    for (const [httpPath, path] of Object.entries(GATEWAY_PATHS)) {
      const found = methods.has(path) ? schemas.ofMethod(path) : undefined;
      if (found !== undefined) this.#routes.set(httpPath, { path, schemas: found });
    }
  }

  /** Bytes of requests that wait to be handed on, for tests. */
  get heldBytes(): number {
    return this.#request.held.taken;
  }

  /** `path`: of the request, without its query. */
  serve(exchange: Exchange, path: string): void {
    const route = this.#routes.get(path);
    if (route === undefined) return refuse(exchange, NO_PATH);
    if (methodOf(exchange) !== 'POST') return refuse(exchange, NOT_POST);
    let head: RequestHead;
    try {
      head = callHead(route.path, exchange);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return refuse(exchange, error);
    }
    exchange.takesLong();
    const { schemas } = route;
    if (!schemas.requestStream) {
      exchange.use(new SingleJsonRequest(this.#request, exchange, schemas, head));
      return;
    }
    const request = new ManyJsonRequests(this.#request, exchange, schemas, head);
    request.begin();
    exchange.use(request);
  }
}

/** A form may say that it means another method. */
function methodOf(exchange: Exchange): string {
  const instead = exchange.header('content-type') === FORM_TYPE ? exchange.header('x-http-method-override') : undefined;
  return instead === undefined || instead === '' ? exchange.method : instead.toUpperCase();
}
