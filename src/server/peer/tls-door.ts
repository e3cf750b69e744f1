/**
 * The peers' port over TLS: who has finished its handshake and was let in is handed to gRPC, so
 * that no path to a method leads around the checks of {@link ServerTls}.
 */

import { ServerCredentials, type Server as GrpcServer } from '@grpc/grpc-js';
import type { Server } from 'node:tls';
import { messageOf, NetworkError } from '../../base/errors.js';
import type { ServerTls } from '../tls/server-tls.js';
import { hostPort } from './peer-url.js';

const HANDSHAKE_MS = 5_000;

export class TlsDoor {
  readonly #server: Server;
  readonly #url: string;

  constructor(grpc: GrpcServer, tls: ServerTls, url: string) {
    this.#url = url;
    const into = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#server = tls.server({ handshakeMs: HANDSHAKE_MS, allowHalfOpen: false, protocols: ['h2'] }, (socket) => {
      if (socket.alpnProtocol !== 'h2') socket.destroy();
      else into.injectConnection(socket.setNoDelay(true));
    });
  }

  /** Resolves to the port. Rejects with NetworkError UNREACHABLE. */
  listen(): Promise<number> {
    const address = hostPort(this.#url);
    const colon = address.lastIndexOf(':');
    const [host, port] = [address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), Number(address.slice(colon + 1))];
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => reject(new NetworkError('UNREACHABLE', `cannot listen on ${address}: ${messageOf(error)}`, { address })));
      this.#server.listen({ host, port }, () => {
        const bound = this.#server.address();
        resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
      });
    });
  }

  close(): void {
    this.#server.close();
  }
}
