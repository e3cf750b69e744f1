/** A GrpcServer on a real port, by the least that connects HTTP/2 to a socket. */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { testClock } from '../../base/testing/test-env.js';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from '../../http2/limits.js';
import { Http2Pool } from '../../http2/pool.js';
import type { RequestHandler } from '../../http2/request-handler.js';
import { SocketShell } from '../../http2/testing/socket-shell.js';

export class NetServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(handler: RequestHandler, limits: Http2Limits) {
    const pool = new Http2Pool(testClock);
    this.#server = createServer((socket) => {
      new SocketShell({ socket, handler, limits, pool });
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(handler: RequestHandler, limits: Partial<Http2Limits> = {}): Promise<NetServer> {
    const started = new NetServer(handler, { ...DEFAULT_HTTP2_LIMITS, ...limits });
    await new Promise<void>((resolve) => started.#server.listen(0, '127.0.0.1', resolve));
    return started;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
