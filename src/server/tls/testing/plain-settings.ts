import type { TlsSettings } from '../settings.js';

/** Of a port without any file: what tests add theirs to. */
export const PLAIN_SETTINGS: TlsSettings = {
  certFile: '', keyFile: '', clientCertFile: '', clientKeyFile: '', caFile: '', crlFile: '', verifies: false, namesUsers: false,
  allowedNames: [], allowedHosts: [], ciphers: undefined, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', trustsAll: false,
};
