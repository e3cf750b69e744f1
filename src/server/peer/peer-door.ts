/**
 * The peers' port: who was let in, and has said the whole preface of HTTP/2, is handed to gRPC. A
 * connection costs it much, and this one little, before it is known that somebody means it. Over
 * TLS who was let in has finished its handshake, so that no path to a method leads around the
 * checks of {@link ServerTls}. It is not gRPC that listens, as that leaves no choice of how many
 * may wait to be taken in.
 */

import { ServerCredentials, type Server as GrpcServer } from '@grpc/grpc-js';
import { promises as dns } from 'node:dns';
import { createServer, isIP, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/env.js';
import { messageOf, NetworkError } from '../../base/errors.js';
import { BACKLOG } from '../tls/backlog.js';
import { HelloGate, placeOf } from '../tls/hello-gate.js';
import type { ServerTls } from '../tls/server-tls.js';
import { protocolOf } from '../transport/first-bytes.js';
import { hostPort } from './peer-url.js';

const HANDSHAKE_MS = 5_000;
/** Of one of the addresses of a name: this machine does not have it. */
const NOT_HERE = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];

export class PeerDoor {
  readonly #tls: ServerTls | undefined;
  readonly #address: string;
  readonly #servers: Server[] = [];
  readonly #prefaces: HelloGate;

  /** Without `tls` in plain text. `address`: a URL, or a host and a port. */
  constructor(grpc: GrpcServer, tls: ServerTls | undefined, address: string, clock: Clock) {
    this.#tls = tls;
    const into = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    const begin = (socket: Socket, said: Buffer): void => {
      this.#prefaces.ended(placeOf(socket) ?? '');
      if (protocolOf(said) === 'http2') into.injectConnection(socket);
      else socket.destroy();
    };
    this.#prefaces = new HelloGate(
      { clock, handshakeMs: HANDSHAKE_MS }, begin, (socket) => void socket.destroy(), (said) => protocolOf(said) !== undefined,
    );
    this.#address = address.includes('://') ? hostPort(address) : address;
  }

  /** On each address of the host. Resolves to the port. Rejects with NetworkError UNREACHABLE. */
  async listen(): Promise<number> {
    const colon = this.#address.lastIndexOf(':');
    const host = this.#address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    let port = Number(this.#address.slice(colon + 1));
    try {
      // A name may have an address twice.
      const found = isIP(host) > 0 ? [] : await dns.lookup(host, { all: true });
      const [first = host, ...others] = new Set(found.map(({ address }) => address));
      port = await this.#listenAt(first, port);
      for (const other of others) {
        await this.#listenAt(other, port).catch((error: unknown) => {
          if (!NOT_HERE.includes(String((error as NodeJS.ErrnoException).code))) throw error;
        });
      }
      return port;
    } catch (error) {
      this.close();
      if (!(error instanceof Error && 'code' in error)) throw error;
      throw new NetworkError('UNREACHABLE', `cannot listen on ${this.#address}: ${messageOf(error)}`, { address: this.#address });
    }
  }

  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
    this.#prefaces.close();
  }

  #listenAt(host: string, port: number): Promise<number> {
    const server = this.#tls === undefined ? this.#plain() : this.#secure(this.#tls);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, backlog: BACKLOG }, () => {
        // What goes wrong with one accept does not concern the others.
        server.off('error', reject).on('error', () => undefined);
        this.#servers.push(server);
        const bound = server.address();
        resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
      });
    });
  }

  #plain(): Server {
    return createServer({ noDelay: true }, (socket) => this.#prefaces.take(socket));
  }

  #secure(tls: ServerTls): Server {
    return tls.server({ handshakeMs: HANDSHAKE_MS, allowHalfOpen: false, protocols: ['h2'] }, (socket) => {
      if (socket.alpnProtocol !== 'h2') socket.destroy();
      else this.#prefaces.take(socket.setNoDelay(true));
    });
  }
}
