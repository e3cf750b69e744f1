/**
 * Calls of methods that are not served get etcd's words for it. grpc-js, whose version is pinned,
 * keeps its handlers in a map and has no hook for unknown paths: a map that always finds something
 * takes the place of that one.
 */

import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import { Code, type RpcStatus } from './status.js';

const identity = (bytes: Buffer): Buffer => bytes;

/** What grpc-js keeps for a path: a handler that ends each call with one status. */
class Refused {
  readonly type = 'bidi';
  readonly path: string;
  readonly serialize = identity;
  readonly deserialize = identity;
  readonly #status: RpcStatus;

  constructor(path: string, status: RpcStatus) {
    this.path = path;
    this.#status = status;
  }

  readonly func = (call: ServerDuplexStream<Buffer, Buffer>): void => void call.emit('error', this.#status);
}

class HandlersWithFallback extends Map<string, object> {
  override get(path: string): object {
    const found = super.get(path);
    if (found !== undefined) return found;
    const services = new Set<string>();
    for (const known of this.keys()) services.add(known.slice(1, known.lastIndexOf('/')));
    return new Refused(path, unknownMethod(path, services));
  }
}

/** To be called before any method is registered. */
export function answerUnknownMethods(server: Server): void {
  (server as unknown as { handlers: Map<string, object> }).handlers = new HandlersWithFallback();
}

/** etcd's words for a path that no handler serves. */
export function unknownMethod(path: string, services: ReadonlySet<string>): RpcStatus {
  const [, service, method] = /^\/(.+)\/([^/]*)$/.exec(path) ?? [];
  if (service === undefined) return { code: Code.UNIMPLEMENTED, details: `malformed method name: ${JSON.stringify(path)}` };
  const details = services.has(service) ? `unknown method ${method} for service ${service}` : `unknown service ${service}`;
  return { code: Code.UNIMPLEMENTED, details };
}
