/**
 * TLS of what this process connects to: other members. Who answers is verified against the
 * authorities, the host that was asked for, the revocation list and the names that are allowed;
 * `trustsAll` (certificates that each member made for itself) verifies none of it.
 */

import { connect, type Socket } from 'node:net';
import { X509Certificate } from 'node:crypto';
import {
  checkServerIdentity, connect as connectTls, createSecureContext, type DetailedPeerCertificate, type PeerCertificate,
  type SecureContext,
} from 'node:tls';
import { credentials, type ChannelCredentials, type VerifyOptions } from '@grpc/grpc-js';
import { serverName, TlsCredentials } from '../../dial/tls-credentials.js';
import { commonNameOf, isFor, serialsOf } from './certificate.js';
import type { Loaded, TlsMaterial } from './material.js';
import { revokedWords, unwanted } from './server-tls.js';

export class ClientTls {
  readonly #material: TlsMaterial;
  #from: Loaded | undefined;
  #context: SecureContext | undefined;
  #credentials: ChannelCredentials | undefined;

  constructor(material: TlsMaterial) {
    this.#material = material;
  }

  /** For gRPC's clients: another object once the files have changed. */
  get credentials(): ChannelCredentials {
    this.#renew();
    return this.#credentials as ChannelCredentials;
  }

  /** A socket on its way; that it failed is told by 'error' and 'close'. */
  connect(host: string, port: number): Socket {
    this.#renew();
    return connectTls({
      ...this.#verification, secureContext: this.#context as SecureContext, host, port, servername: serverName(host), ALPNProtocols: ['h2'],
    }).setNoDelay(true);
  }

  #renew(): void {
    const { current } = this.#material;
    if (this.#from === current) return;
    this.#from = current;
    this.#context = createSecureContext(current.client);
    this.#credentials = new TlsCredentials(this.#context, this.#verification);
  }

  readonly #verify = (host: string, certificate: PeerCertificate): Error | undefined => {
    const { settings, current } = this.#material;
    const error = checkServerIdentity(host, certificate);
    if (error !== undefined) return error;
    const serial = serialsOf(certificate as DetailedPeerCertificate).find((each) => current.revoked.has(each));
    if (serial !== undefined) return new Error(revokedWords(serial));
    const why = unwanted(settings, commonNameOf(certificate), (wanted) => isFor(new X509Certificate(certificate.raw), wanted));
    return why === undefined ? undefined : new Error(why);
  };

  get #verification(): VerifyOptions {
    if (this.#material.settings.trustsAll) return { rejectUnauthorized: false, checkServerIdentity: () => undefined };
    return { rejectUnauthorized: true, checkServerIdentity: this.#verify };
  }
}

/** `tls` undefined: in plain text. `address`: `host:port`. */
export function connectTo(address: string, tls: ClientTls | undefined): Socket {
  const colon = address.lastIndexOf(':');
  const [host, port] = [address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), Number(address.slice(colon + 1))];
  return tls === undefined ? connect({ host, port, noDelay: true }) : tls.connect(host, port);
}

export function credentialsOf(tls: ClientTls | undefined): ChannelCredentials {
  return tls === undefined ? credentials.createInsecure() : tls.credentials;
}
