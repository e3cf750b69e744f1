/**
 * grpc.health.v1 for the server as a whole and for each service in the table: SERVING until the
 * node drains.
 */

import type { Message } from '../../api/protos/reflected-rpc.js';
import { addCold } from './cold.js';
import type { Method } from '../../grpc/method.js';
import { Code } from '../../grpc/code.js';
import { RpcError } from '../../grpc/status.js';

export class Health {
  #serving = true;
  readonly #watchers = new Set<() => void>();

  get serving(): boolean {
    return this.#serving;
  }

  setServing(serving: boolean): void {
    this.#serving = serving;
    for (const watcher of this.#watchers) watcher();
  }

  /** Resolves at the next change, or when `cancel` is called. */
  changed(onCancel: (fn: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#watchers.delete(done);
        resolve();
      };
      this.#watchers.add(done);
      onCancel(done);
    });
  }
}

export function addHealth(table: Map<string, Method>, health: Health): void {
  const known = (request: Message): boolean => {
    const service = String(request['service']);
    if (service === '') return true;
    for (const path of table.keys()) if (path.startsWith(`/${service}/`)) return true;
    return false;
  };
  const status = (): object => ({ status: health.serving ? 'SERVING' : 'NOT_SERVING' });

  addCold(table, 'grpc.health.v1.Health', {
    Check: (request) => {
      if (!known(request)) throw new RpcError(Code.NOT_FOUND, 'unknown service');
      return status();
    },
  }, {
    Watch: async (request, out) => {
      const serviceUnknown = { status: 'SERVICE_UNKNOWN' };
      while (!out.cancelled) {
        const change = health.changed((fn) => out.onCancel(fn));
        await out.write(known(request) ? status() : serviceUnknown);
        await change;
      }
    },
  });
}
