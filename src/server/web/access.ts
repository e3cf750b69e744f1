/**
 * Which web pages and which host names may reach a client port over HTTP: etcd's `--cors` and
 * `--host-whitelist`. A browser that was led here under another name (DNS rebinding,
 * CVE-2018-5702) is refused before anything is looked at; over TLS no name can be borrowed so.
 */

import type { Exchange } from './exchange.js';

const ALLOWED_METHODS = 'POST, GET, OPTIONS, PUT, DELETE';
const ALLOWED_HEADERS = 'accept, content-type, authorization';

function unknownHost(host: string): string {
  return `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist ${JSON.stringify(host)}

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).

`;
}

/** `a:1` is `a`, `[::1]:2` is `::1`; what has no port is as it is. */
export function hostName(host: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*)):\d*$/.exec(host) ?? [];
  return bracketed ?? plain ?? host;
}

export interface AccessRules {
  /** Origins, or `*` for all. Empty: all. */
  readonly origins: readonly string[];
  /** Names without a port, or `*` for all. Empty: all. */
  readonly hosts: readonly string[];
}

export const ALL_WELCOME: AccessRules = { origins: ['*'], hosts: ['*'] };

const allows = (list: readonly string[], value: string): boolean => list.length === 0 || list.includes('*') || list.includes(value);

export class Access {
  readonly #rules: AccessRules;

  constructor(rules: AccessRules) {
    this.#rules = rules;
  }

  /** False: it is answered, because it was refused or asked for nothing else. */
  admit(exchange: Exchange): boolean {
    const { origins, hosts } = this.#rules;
    const host = hostName(exchange.host);
    if (!exchange.secure && !allows(hosts, host)) {
      exchange.answer(421, [['content-type', 'text/plain; charset=utf-8'], ['x-content-type-options', 'nosniff']], Buffer.from(unknownHost(host)));
      return false;
    }
    const origin = allows(origins, '*') ? '*' : exchange.header('origin');
    if (origin !== undefined && allows(origins, origin)) {
      exchange.add('access-control-allow-methods', ALLOWED_METHODS);
      exchange.add('access-control-allow-origin', origin);
      exchange.add('access-control-allow-headers', ALLOWED_HEADERS);
    }
    if (exchange.method !== 'OPTIONS') return true;
    exchange.answer(200, [], new Uint8Array(0));
    return false;
  }
}
