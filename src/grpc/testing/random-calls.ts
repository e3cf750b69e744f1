/**
 * Calls of every kind that go on in any order, with handlers that come back when a test lets them.
 * Each answer says whose request it is made of, so that a mix-up of calls shows.
 */

import { Deferred } from '../../base/deferred.js';
import type { ServerCall, Method, Sender } from '../method.js';
import { RpcError } from '../status.js';

/** What a handler does; it is asked for in the request's metadata. */
export const DEEDS = ['at-once', 'later', 'throw', 'reject-later', 'until-cancelled', 'ignore-requests'] as const;
export type Deed = (typeof DEEDS)[number];

/** Holds handlers until the test lets some go on. */
export class Gates {
  #waiting: Deferred[] = [];

  wait(): Promise<void> {
    const gate = new Deferred();
    this.#waiting.push(gate);
    return gate.promise;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  open(which: number): void {
    const [gate] = this.#waiting.splice(which % Math.max(1, this.#waiting.length), 1);
    gate?.resolve();
  }

  openAll(): void {
    for (const gate of this.#waiting.splice(0)) gate.resolve();
  }
}

const cancelled = (call: ServerCall): Promise<void> => new Promise((resolve) => call.onCancel(resolve));

async function before(gates: Gates, call: ServerCall, id: string): Promise<void> {
  const deed = call.metadata('deed') as Deed;
  if (deed === 'throw') throw new RpcError(9, id);
  if (deed === 'later') await gates.wait();
  if (deed === 'until-cancelled') await cancelled(call);
  if (deed === 'reject-later') {
    await gates.wait();
    throw new RpcError(9, id);
  }
}

async function unary(gates: Gates, request: Uint8Array, call: ServerCall): Promise<Uint8Array> {
  const id = call.metadata('id') ?? '';
  await before(gates, call, id);
  if (call.metadata('id') !== id && !call.cancelled) throw new Error('the context is another call\'s');
  return request;
}

async function down(gates: Gates, request: Uint8Array, out: Sender, call: ServerCall): Promise<void> {
  for (let i = 0; i < 3; i++) {
    // A copy, since transports of tests spoil what they have taken.
    await out.write(Buffer.from(request));
    if (i === 1) await before(gates, call, call.metadata('id') ?? '');
  }
}

async function up(gates: Gates, requests: AsyncIterable<Uint8Array>, out: Sender, call: ServerCall): Promise<void> {
  const all: Uint8Array[] = [];
  if (call.metadata('deed') === 'ignore-requests') return out.write(Buffer.from('ignored'));
  for await (const request of requests) {
    all.push(request);
    if (all.length === 2) await before(gates, call, call.metadata('id') ?? '');
  }
  await out.write(Buffer.concat(all));
}

async function both(gates: Gates, requests: AsyncIterable<Uint8Array>, out: Sender, call: ServerCall): Promise<void> {
  let n = 0;
  for await (const request of requests) {
    await out.write(request);
    if (++n === 2) await before(gates, call, call.metadata('id') ?? '');
    if (call.metadata('deed') === 'ignore-requests') return;
  }
}

export const KINDS = ['unary', 'down', 'up', 'both'] as const;
export type Kind = (typeof KINDS)[number];

export const pathOf = (kind: Kind): string => `/random.R/${kind}`;

export function randomMethods(gates: Gates): Record<string, Method> {
  return {
    [pathOf('unary')]: {
      kind: 'unary',
      refusable: true,
      handle: (request, call) => {
        if (call.metadata('deed') === 'at-once') return request;
        if (call.metadata('deed') === 'throw') throw new RpcError(9, call.metadata('id') ?? '');
        return unary(gates, request, call);
      },
    },
    [pathOf('down')]: { kind: 'server-stream', handle: (request, out, call) => down(gates, request, out, call) },
    [pathOf('up')]: { kind: 'client-stream', handle: (requests, out, call) => up(gates, requests, out, call) },
    [pathOf('both')]: { kind: 'bidi', handle: (requests, out, call) => both(gates, requests, out, call) },
  };
}

/** The messages that a call with status OK must have got for these requests. */
export function expectedAnswers(kind: Kind, deed: Deed, requests: readonly Uint8Array[]): Uint8Array[] {
  switch (kind) {
    case 'unary':
      return [...requests];
    case 'down':
      return [0, 1, 2].map(() => requests[0] as Uint8Array);
    case 'up':
      return [deed === 'ignore-requests' ? Buffer.from('ignored') : Buffer.concat(requests)];
    case 'both':
      return deed === 'ignore-requests' ? requests.slice(0, 1) : [...requests];
  }
}
