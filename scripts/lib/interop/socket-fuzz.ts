/** Bytes thrown at a real client port with gRPC above it; it holds nothing when they are gone. */

import { connect } from 'node:net';
import { silent } from '../../../src/base/testing/silent.js';
import type { Method } from '../../../src/grpc/method.js';
import { deflateInflater } from '../../../src/grpc/testing/node-inflater.js';
import { TestServer } from '../../../src/grpc/testing/test-server.js';
import { DEFAULT_HTTP2_LIMITS } from '../../../src/http2/limits.js';
import { nodeClock } from '../../../src/server/env/node-env.js';
import { ClientPort } from '../../../src/server/transport/client-port.js';
import { listenAddress } from '../../../src/server/transport/listen-address.js';

const METHODS: Readonly<Record<string, Method>> = {
  '/t.T/Unary': { kind: 'unary', refusable: false, handle: (request) => request },
  '/etcdserverpb.KV/Put': { kind: 'unary', refusable: false, handle: (request) => Promise.resolve(request) },
  '/etcdserverpb.KV/Range': { kind: 'unary', refusable: true, handle: (request) => Promise.resolve(request) },
  '/': {
    kind: 'bidi',
    handle: async (requests, out) => {
      for await (const request of requests) await out.write(request);
    },
  },
};
const LINGER_MS = 20;
const GONE_MS = 10_000;

export class SocketFuzz {
  readonly #server = new TestServer(METHODS, { clock: nodeClock, inflater: deflateInflater });
  readonly #port: ClientPort;
  #number = 0;
  thrown = 0;

  private constructor() {
    this.#port = new ClientPort({
      handler: this.#server.grpc, limits: DEFAULT_HTTP2_LIMITS, clock: nodeClock, events: silent, http1: undefined, maxConnections: 1_000,
    });
  }

  static async start(): Promise<SocketFuzz> {
    const fuzz = new SocketFuzz();
    fuzz.#number = await fuzz.#port.listen(listenAddress('http://127.0.0.1:0'));
    return fuzz;
  }

  /** Some go away in the middle, some wait for what is said. */
  async throwAt(bytes: Buffer, cuts: readonly number[]): Promise<void> {
    this.thrown++;
    const socket = connect(this.#number, '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    await new Promise((resolve) => socket.on('connect', resolve).on('close', resolve));
    socket.on('data', () => undefined);
    const cut = Math.max(1_000, ...cuts);
    for (let at = 0; at < bytes.length && !socket.destroyed; at += cut) socket.write(bytes.subarray(at, at + cut));
    if (this.thrown % 2 === 0) await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
    if (this.thrown % 3 === 0) socket.end();
    else socket.destroy();
    if (this.thrown % 3 === 0) setTimeout(() => socket.destroy(), LINGER_MS);
    await closed;
  }

  /** What is still held when all clients are gone; '': nothing. */
  async stop(): Promise<string> {
    const until = performance.now() + GONE_MS;
    const { grpc, stats } = this.#server;
    const left = (): boolean => this.#port.connections > 0 || grpc.held.calls > 0;
    while (left() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    const held = { connections: this.#port.connections, ...grpc.held, uncounted: stats.started - stats.ended };
    this.#port.close();
    grpc.stop();
    return Object.values(held).every((count) => count === 0) ? '' : `held when all are gone: ${JSON.stringify(held)}`;
  }
}
