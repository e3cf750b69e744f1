/**
 * An authority for tests: certificates as they are asked for, good or bad, and revocation lists.
 */

import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension, BasicConstraintsExtension, ExtendedKeyUsageExtension, ExtendedKeyUsage, KeyUsageFlags,
  KeyUsagesExtension, SubjectAlternativeNameExtension, X509CertificateGenerator, X509CrlGenerator, type X509Certificate,
} from '@peculiar/x509';

const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 3_600_000;

export interface Wanted {
  readonly cn?: string;
  readonly hosts?: readonly string[];
  /** From now on; negative: it has expired. */
  readonly days?: number;
}

export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly serial: string;
}

async function keyText(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`;
}

export class Authority {
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #certificate: X509Certificate;

  private constructor(keys: webcrypto.CryptoKeyPair, certificate: X509Certificate) {
    this.#keys = keys;
    this.#certificate = certificate;
  }

  static async create(name = 'test CA'): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`, keys, signingAlgorithm: KEY, serialNumber: '01', notBefore: new Date(Date.now() - 90 * DAY_MS),
      notAfter: new Date(Date.now() + 90 * DAY_MS),
      extensions: [
        new BasicConstraintsExtension(true, undefined, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign),
      ],
    }, webcrypto);
    return new Authority(keys, certificate);
  }

  get pem(): string {
    return `${this.#certificate.toString('pem')}\n`;
  }

  async issue({ cn = 'a name', hosts = ['127.0.0.1', 'localhost'], days = 30 }: Wanted = {}): Promise<Issued> {
    const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
    // A leading zero is written by some and left out by others.
    const serial = `0a${randomBytes(8).toString('hex')}`;
    const names = hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' as const : 'ip' as const, value }));
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${cn}`, issuer: this.#certificate.subject, signingKey: this.#keys.privateKey, publicKey: keys.publicKey,
      signingAlgorithm: KEY, serialNumber: serial, notBefore: new Date(Date.now() - 60 * DAY_MS),
      notAfter: new Date(Date.now() + days * DAY_MS),
      extensions: [
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        await AuthorityKeyIdentifierExtension.create(this.#certificate, false, webcrypto),
        ...(hosts.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
      ],
    }, webcrypto);
    return { cert: `${certificate.toString('pem')}\n`, key: await keyText(keys), serial };
  }

  /** DER. */
  async revoke(serials: readonly string[]): Promise<Buffer> {
    const list = await X509CrlGenerator.create({
      issuer: this.#certificate.subject, signingKey: this.#keys.privateKey, signingAlgorithm: KEY,
      thisUpdate: new Date(Date.now() - 2 * DAY_MS), nextUpdate: new Date(Date.now() - DAY_MS),
      entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date() })),
    }, webcrypto);
    return Buffer.from(list.rawData);
  }
}
