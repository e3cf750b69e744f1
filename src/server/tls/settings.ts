/**
 * What TLS of one port is made of, as flags say it, in etcd's words. Empty names are files that
 * there are not.
 */

import type { SecureVersion } from 'node:tls';
import { KintsugiError } from '../../base/errors.js';

export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** Shown instead where this process is the client. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** Authorities of who connects here, and of whom this process connects to. */
  readonly caFile: string;
  readonly crlFile: string;
  /** Who connects must show a certificate of those authorities. */
  readonly verifies: boolean;
  /**
   * The common name of such a certificate is its holder's user. As in etcd, to name authorities is
   * to want certificates of them and no more: whoever has one may come in, and is nobody yet.
   */
  readonly namesUsers: boolean;
  /** One of these common names; none: any. */
  readonly allowedNames: readonly string[];
  /** A SAN for one of these hosts; none: any. */
  readonly allowedHosts: readonly string[];
  /** In OpenSSL's words; undefined: Node's default. */
  readonly ciphers: string | undefined;
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  /** Certificates are each process's own: whom it connects to is not verified. */
  readonly trustsAll: boolean;
}

/** A file of TLS cannot be read, or is not what it should be. `data` has `file`. */
export class TlsError extends KintsugiError<'TLS_FILE'> {
  override readonly name = 'TlsError';
  constructor(file: string, why: string) {
    super('TLS_FILE', `${file}: ${why}`, { file });
  }
}
