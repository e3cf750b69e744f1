/**
 * A request of a client to a member that no history of keys has: it runs in the member's event
 * loop, as long as that life lasts, and the answer counts until a deadline.
 */

import { codeOf, messageOf } from '../../../base/errors.js';
import type { NodeStore } from '../../../node/node-store.js';
import type { SimNode } from '../../cluster/sim-node.js';
import type { StreamParts } from '../base/parts.js';

export type CallResult<T> =
  | { readonly kind: 'answered'; readonly value: T }
  /** It may have been carried out all the same. */
  | { readonly kind: 'failed'; readonly code: string };

const DEADLINE_US = 5_000_000;

export function call<T>(parts: StreamParts, machine: number, node: SimNode, run: (store: NodeStore) => Promise<T>): Promise<CallResult<T>> {
  const { world, links, report, coverage } = parts;
  return new Promise((resolve) => {
    const deadline = world.schedule(DEADLINE_US, () => resolve({ kind: 'failed', code: 'DEADLINE' }));
    const reply = (result: CallResult<T>): void => links.toClient(machine, node.id, () => {
      deadline.cancel();
      resolve(result);
    });
    links.toNode(machine, node.id, () => {
      const running = node.state === 'up' ? node.running : undefined;
      if (running?.process.alive !== true) return reply({ kind: 'failed', code: 'UNREACHABLE' });
      const { process, store } = running;
      const answered = (result: CallResult<T>): void => {
        if (process.alive) world.schedule(0, () => reply(result), process);
      };
      world.schedule(0, () => {
        run(store).then(
          (value) => answered({ kind: 'answered', value }),
          (error: unknown) => {
            if (!process.alive) return;
            const code = codeOf(error);
            coverage.branch(`answer ${code ?? 'UNTYPED'}`);
            if (code === undefined) report('crash', 'typed answers', `a call about leases was answered with ${messageOf(error)}`, node.id);
            answered({ kind: 'failed', code: code ?? 'UNTYPED' });
          },
        );
      }, process);
    });
  });
}
