/** What the certificate of the other side says of it, once its chain was verified. */

import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import { serialOf } from './revoked.js';

/** More certificates than any chain has. */
const LONGEST_CHAIN = 16;

/** Serial numbers of a certificate and of those above it. */
export function serialsOf(certificate: DetailedPeerCertificate): string[] {
  const serials: string[] = [];
  let at: DetailedPeerCertificate | undefined = certificate;
  for (let i = 0; at?.serialNumber !== undefined && i < LONGEST_CHAIN; i++) {
    serials.push(serialOf(at.serialNumber));
    const above: DetailedPeerCertificate | undefined = at.issuerCertificate;
    at = above === at ? undefined : above;
  }
  return serials;
}

/** Of several the last, as Go has it; '' for none. */
export function commonNameOf(certificate: PeerCertificate): string {
  const name: unknown = (certificate.subject as PeerCertificate['subject'] | undefined)?.CN;
  const last: unknown = Array.isArray(name) ? name.at(-1) : name;
  return typeof last === 'string' ? last : '';
}

/** The certificate is for this host: by its SAN alone, never by its common name. */
export function isFor(certificate: X509Certificate, host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return (isIP(bare) !== 0 ? certificate.checkIP(bare) : certificate.checkHost(bare, { subject: 'never' })) !== undefined;
}
