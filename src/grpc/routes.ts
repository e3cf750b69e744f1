/**
 * Which method a path means, and the words for paths that mean none: grpc-go's, which etcd's
 * clients know.
 */

import type { CallStats, MethodType, StatsOf } from './hooks.js';
import { Code } from './code.js';
import type { Method, MethodTable } from './method.js';
import type { RpcStatus } from './status.js';

export interface Route {
  readonly path: string;
  readonly method: Method;
  readonly stats: CallStats;
}

const TYPES: Readonly<Record<Method['kind'], MethodType>> = {
  'unary': 'unary', 'server-stream': 'server_stream', 'client-stream': 'client_stream', 'bidi': 'bidi_stream',
};

export class Routes {
  readonly #routes = new Map<string, Route>();
  readonly #services = new Set<string>();

  constructor(methods: MethodTable, stats: StatsOf) {
    for (const [path, method] of methods) {
      this.#routes.set(path, { path, method, stats: stats.of(path, TYPES[method.kind]) });
      this.#services.add(path.slice(1, path.lastIndexOf('/')));
    }
  }

  find(path: string): Route | undefined {
    return this.#routes.get(path);
  }

  /** What a call of a path that is not served ends with. */
  unknown(path: string): RpcStatus {
    const slash = path.lastIndexOf('/');
    if (slash < 1 || !path.startsWith('/')) {
      return { code: Code.UNIMPLEMENTED, details: `malformed method name: ${JSON.stringify(path)}` };
    }
    const service = path.slice(1, slash);
    const known = this.#services.has(service);
    const details = known ? `unknown method ${path.slice(slash + 1)} for service ${service}` : `unknown service ${service}`;
    return { code: Code.UNIMPLEMENTED, details };
  }
}
