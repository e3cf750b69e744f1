/**
 * Whether who says that it is a member shows that member's certificate: one whose SAN is for the
 * host of the member's peer URL. A certificate without a SAN says nothing of hosts and passes, as
 * in etcd, and so does a peer of whom no certificate is wanted.
 *
 * etcd compares with the address that the connection comes from, asking DNS; the URL is what the
 * cluster has agreed on, and names the member.
 */

import { X509Certificate } from 'node:crypto';
import { isFor } from '../tls/certificate.js';

/** Members times certificates, many times over. */
const MAX_KNOWN = 256;

export class PeerCertificates {
  /** By certificate and host: parsing one takes longer than most calls. */
  readonly #known = new Map<string, boolean>();

  /**
   * Undefined: it passes. `raw`: what it has shown; `url`: of the member that it says it is.
   */
  refusal(raw: Buffer | undefined, url: string): string | undefined {
    if (raw === undefined || !URL.canParse(url)) return undefined;
    const { hostname } = new URL(url);
    const key = `${hostname} ${raw.toString('latin1')}`;
    let fits = this.#known.get(key);
    if (fits === undefined) {
      if (this.#known.size >= MAX_KNOWN) this.#known.clear();
      const certificate = new X509Certificate(raw);
      fits = certificate.subjectAltName === undefined || isFor(certificate, hostname);
      this.#known.set(key, fits);
    }
    return fits ? undefined : `its certificate is not for ${hostname}, where the member is found that it says it is`;
  }
}
