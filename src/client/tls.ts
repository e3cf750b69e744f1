/**
 * TLS of the client's connections. An endpoint's scheme decides: `https://` is TLS, `http://` is
 * not, and one without a scheme is TLS if any of this is given, as in etcd's own client. A server
 * is verified against the authorities and its host name; without authorities against those that
 * come with Node.
 */

import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { createSecureContext } from 'node:tls';
import { TlsCredentials } from '../dial/tls-credentials.js';
import { badArgument } from './errors.js';

/** PEM, as text or as bytes. */
export interface TlsOptions {
  /** Authorities of the servers' certificates. */
  readonly ca?: string | Uint8Array | undefined;
  /** What this client shows of itself, where servers ask for it; both or neither. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Takes any server: encrypted, but from whom nobody knows. */
  readonly insecureSkipVerify?: boolean | undefined;
}

const bufferOf = (pem: string | Uint8Array): Buffer => Buffer.from(pem as Uint8Array);

/** Throws ClientError INVALID_ARGUMENT for what does not fit together. */
export function credentialsOf(scheme: string | undefined, tls: TlsOptions | undefined): ChannelCredentials {
  if (scheme === 'http' || (scheme === undefined && tls === undefined)) return credentials.createInsecure();
  const { ca, cert, key, insecureSkipVerify = false } = tls ?? {};
  if ((cert === undefined) !== (key === undefined)) throw badArgument('tls: cert and key go together');
  const own = cert === undefined || key === undefined ? {} : { cert: bufferOf(cert), key: bufferOf(key) };
  try {
    const context = createSecureContext({ ...own, ...(ca === undefined ? {} : { ca: bufferOf(ca) }) });
    const any = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
    return new TlsCredentials(context, insecureSkipVerify ? any : {});
  } catch (error) {
    throw badArgument(`tls: certificate, key and authorities do not fit together: ${error instanceof Error ? error.message : String(error)}`);
  }
}
