/** TLS as the flags say it: what is set, what goes with what, and what has no effect. */

import type { SecureVersion } from 'node:tls';
import { must } from '../../base/assert.js';
import { CIPHER_SUITES, opensslCiphers } from '../tls/cipher-suites.js';
import type { TlsSettings } from '../tls/settings.js';
import type { Resolved } from './parse.js';
import { UsageError, type OptionValue } from './spec.js';

/** Certificates that a member makes for itself, where it is told to. */
export interface AutoTls {
  readonly client: boolean;
  readonly peer: boolean;
  /** Of a certificate, in days. */
  readonly days: number;
}

export interface TlsConfig {
  readonly client: TlsSettings;
  readonly peer: TlsSettings;
  readonly auto: AutoTls;
  /** What a member's certificate is for need not be where the cluster finds it. */
  readonly skipsPeerSan: boolean;
}

interface Urls {
  readonly client: readonly string[];
  readonly metrics: readonly string[];
  readonly peer: readonly string[];
}

const VERSIONS: Readonly<Record<string, SecureVersion>> = { 'TLS1.2': 'TLSv1.2', 'TLS1.3': 'TLSv1.3' };
const DAYS_A_YEAR = 365;
const MOST_YEARS = 100;

export const isSecure = (url: string): boolean => /^(https|unixs):/.test(url);

/** Throws UsageError. Adds to `notices` what is set and does nothing. */
export function tlsConfig(options: ReadonlyMap<string, Resolved>, urls: Urls, notices: string[]): TlsConfig {
  const value = (name: string): OptionValue => must(options.get(name), `option ${name} exists`).value;
  const text = (name: string): string => value(name) as string;
  const list = (name: string): readonly string[] => value(name) as readonly string[];
  const is = (name: string): boolean => value(name) === true;
  const years = value('self-signed-cert-validity') as number;
  if (years < 1 || years > MOST_YEARS) throw new UsageError(`--self-signed-cert-validity: ${years} is not between 1 and ${MOST_YEARS} years`);
  const auto: AutoTls = { client: is('auto-tls') && text('cert-file') === '', peer: is('peer-auto-tls') && text('peer-cert-file') === '', days: years * DAYS_A_YEAR };
  const common = versions(text('tls-min-version'), text('tls-max-version'), list('cipher-suites'));
  const client: TlsSettings = {
    ...common, certFile: text('cert-file'), keyFile: text('key-file'), clientCertFile: '', clientKeyFile: '',
    caFile: text('trusted-ca-file'), crlFile: text('client-crl-file'),
    // As in etcd: who names an authority wants certificates of it.
    verifies: is('client-cert-auth') || text('trusted-ca-file') !== '',
    namesUsers: is('client-cert-auth'),
    allowedNames: [], allowedHosts: hosts(text('client-cert-allowed-hostname')), trustsAll: false,
  };
  const peer: TlsSettings = {
    ...common, certFile: text('peer-cert-file'), keyFile: text('peer-key-file'),
    clientCertFile: text('peer-client-cert-file'), clientKeyFile: text('peer-client-key-file'),
    caFile: text('peer-trusted-ca-file'), crlFile: text('peer-crl-file'),
    verifies: is('peer-client-cert-auth') || text('peer-trusted-ca-file') !== '',
    namesUsers: false,
    allowedNames: hosts(text('peer-cert-allowed-cn')), allowedHosts: hosts(text('peer-cert-allowed-hostname')), trustsAll: auto.peer,
  };
  checkSide('', 'client', client, auto.client, [...urls.client, ...urls.metrics], notices);
  checkSide('peer-', 'peer', peer, auto.peer, urls.peer, notices);
  if (peer.allowedNames.length > 0 && peer.allowedHosts.length > 0) {
    throw new UsageError('--peer-cert-allowed-cn and --peer-cert-allowed-hostname exclude each other: set one of them');
  }
  const skipsPeerSan = is('peer-skip-client-san-verification') || is('experimental-peer-skip-client-san-verification');
  return { client, peer, auto, skipsPeerSan };
}

function hosts(text: string): readonly string[] {
  return text.split(',').map((part) => part.trim()).filter((part) => part !== '');
}

function versions(min: string, max: string, suites: readonly string[]): Pick<TlsSettings, 'ciphers' | 'minVersion' | 'maxVersion'> {
  const version = (name: string, value: string, otherwise: SecureVersion): SecureVersion => {
    const known = VERSIONS[value];
    if (value !== '' && known === undefined) throw new UsageError(`--${name}: ${JSON.stringify(value)} is not TLS1.2 or TLS1.3`);
    return known ?? otherwise;
  };
  const minVersion = version('tls-min-version', min, 'TLSv1.2');
  const maxVersion = version('tls-max-version', max, 'TLSv1.3');
  if (minVersion > maxVersion) throw new UsageError(`--tls-min-version ${min} is above --tls-max-version ${max}`);
  const unknown = suites.find((suite) => !CIPHER_SUITES.includes(suite));
  if (unknown !== undefined) throw new UsageError(`--cipher-suites: ${JSON.stringify(unknown)} is not known; there are ${CIPHER_SUITES.join(' ')}`);
  if (suites.length > 0 && minVersion === 'TLSv1.3') throw new UsageError('--cipher-suites cannot be chosen when only TLS1.3 is served');
  return { minVersion, maxVersion, ciphers: opensslCiphers(suites) };
}

function checkSide(prefix: string, who: string, settings: TlsSettings, auto: boolean, urls: readonly string[], notices: string[]): void {
  const has = settings.certFile !== '' || auto;
  const wants = urls.find(isSecure);
  if (wants !== undefined && !has) {
    throw new UsageError(`${wants} wants TLS: give --${prefix}cert-file and --${prefix}key-file, or --${prefix}auto-tls`);
  }
  if (has && wants === undefined) notices.push(`TLS for ${who} connections is not used: no URL that is listened on begins with https://`);
  if (settings.verifies && settings.caFile === '' && !auto) {
    throw new UsageError(`--${prefix}client-cert-auth needs --${prefix}trusted-ca-file: whose certificates are good?`);
  }
  if (auto && settings.verifies) {
    throw new UsageError(`--${prefix}auto-tls makes certificates of no authority: --${prefix}client-cert-auth and --${prefix}trusted-ca-file do not go with it`);
  }
  if (!settings.verifies && (settings.allowedHosts.length > 0 || settings.allowedNames.length > 0 || settings.crlFile !== '')) {
    throw new UsageError(`what is asked of ${who} certificates needs --${prefix}client-cert-auth and --${prefix}trusted-ca-file`);
  }
}
