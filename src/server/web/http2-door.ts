/**
 * HTTP/2 on a port with TLS: calls of gRPC go to it, and everything else to the pages and the JSON
 * gateway, as on etcd's.
 */

import type { GrpcServer } from '../../grpc/server.js';
import type { RequestHandler } from '../../http2/request-handler.js';
import type { RequestHead } from '../../http2/request-head.js';
import type { Http2Stream } from '../../http2/stream.js';
import type { Site } from './site.js';
import { Http2Exchange } from './http2-exchange.js';

export class Http2Door implements RequestHandler {
  readonly #grpc: GrpcServer;
  readonly #site: Site;

  constructor(grpc: GrpcServer, site: Site) {
    this.#grpc = grpc;
    this.#site = site;
  }

  request(stream: Http2Stream, head: RequestHead, ended: boolean): void {
    // Only gRPC makes something of a head.
    if (head.memo !== undefined || isGrpc(head)) this.#grpc.request(stream, head, ended);
    else this.#site.serve(new Http2Exchange(stream, head, ended));
  }

  data(stream: Http2Stream, bytes: Uint8Array, from: number, to: number, ended: boolean): void {
    if (stream.app instanceof Http2Exchange) stream.app.data(bytes, from, to, ended);
    else this.#grpc.data(stream, bytes, from, to, ended);
  }

  writable(stream: Http2Stream): void {
    if (stream.app instanceof Http2Exchange) stream.app.writable();
    else this.#grpc.writable(stream);
  }

  over(stream: Http2Stream): void {
    if (stream.app instanceof Http2Exchange) stream.app.over();
    else this.#grpc.over(stream);
  }
}

function isGrpc(head: RequestHead): boolean {
  return head.fields.some(({ name, value }) => name === 'content-type' && value.includes('application/grpc'));
}
