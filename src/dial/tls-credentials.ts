/**
 * Credentials of gRPC's client for connections over TLS. The server is verified against the host
 * that was asked for, which may be an address: an address is not named in the handshake (RFC 6066
 * allows names only, and Node warns of it in the user's terminal), and is looked for among those
 * of the certificate all the same.
 */

import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type SecureContext } from 'node:tls';
import { ChannelCredentials, credentials, type CallCredentials, type ChannelOptions, type experimental, type VerifyOptions } from '@grpc/grpc-js';

export class TlsCredentials extends ChannelCredentials {
  readonly #context: SecureContext;
  readonly #verification: VerifyOptions;

  constructor(context: SecureContext, verification: VerifyOptions) {
    super();
    this.#context = context;
    this.#verification = verification;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    target: experimental.GrpcUri, _options: ChannelOptions, calls: CallCredentials = credentials.createEmpty(),
  ): experimental.SecureConnector {
    const host = hostOf(target.path);
    return {
      connect: (socket) => this.#connect(host, socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => calls,
      destroy: () => undefined,
    };
  }

  /** Rejects with what the handshake or the verification said. */
  #connect(host: string, socket: Socket): Promise<experimental.SecureConnectResult> {
    const { rejectUnauthorized = true, checkServerIdentity: verify = checkServerIdentity } = this.#verification;
    return new Promise((resolve, reject) => {
      const secure = connect({
        socket, secureContext: this.#context, rejectUnauthorized, servername: serverName(host), ALPNProtocols: ['h2'],
        // Node names whom it was given no name of `localhost`.
        checkServerIdentity: (_host, certificate) => verify(host, certificate),
      }, () => {
        if (rejectUnauthorized && !secure.authorized) reject(secure.authorizationError);
        else resolve({ socket: secure, secure: true });
      });
      secure.on('error', reject);
    });
  }
}

/** What a handshake names of a host: empty for an address. */
export function serverName(host: string): string {
  return isIP(host) === 0 ? host : '';
}

/** Of `host:port` or `[address]:port`. */
function hostOf(target: string): string {
  return target.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
