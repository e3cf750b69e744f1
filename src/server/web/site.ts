/**
 * What a client port serves over HTTP beside gRPC: the JSON gateway under `/v3/`, and the pages.
 * Both are behind the same rules of who may come ({@link Access}).
 */

import { EMPTY, utf8 } from '../../base/bytes.js';
import type { Store } from '../../node/store.js';
import type { Access } from './access.js';
import type { Exchange } from './exchange.js';

const PLAIN = [['content-type', 'text/plain; charset=utf-8'], ['x-content-type-options', 'nosniff']] as const;
const NAME_IGNORED = 'CommonName of client sending a request against gateway will be ignored and not used as expected\n';

/** Answers whatever path it is asked for. */
export interface Pages {
  serve(exchange: Exchange): void;
}

/** The same of what is below `/v3/`. */
export interface Calls {
  serve(exchange: Exchange, path: string): void;
}

export interface SiteParts {
  readonly access: Access;
  readonly pages: Pages;
  /** Undefined: it is not served. */
  readonly gateway: Calls | undefined;
  readonly store: { readonly access: Pick<Store['access'], 'enabled'> };
}

export class Site {
  readonly #parts: SiteParts;

  constructor(parts: SiteParts) {
    this.#parts = parts;
  }

  serve(exchange: Exchange): void {
    const { access, pages, gateway, store } = this.#parts;
    const path = pathOf(exchange.target);
    const isCall = gateway !== undefined && path.startsWith('/v3/');
    // A certificate speaks for its holder on its own connection only: etcd's gateway has one of
    // its own, and refuses rather than take the name for nobody's.
    if (isCall && store.access.enabled && exchange.clientName !== undefined && exchange.clientName !== '') {
      exchange.answer(400, PLAIN, utf8(NAME_IGNORED));
      return;
    }
    if (!access.admit(exchange)) return;
    if (isCall) this.#call(gateway, exchange, path);
    else if (gateway !== undefined && path === '/v3') exchange.answer(307, [['location', '/v3/']], EMPTY);
    else pages.serve(exchange);
  }

  #call(gateway: Calls, exchange: Exchange, path: string): void {
    const clean = path.replaceAll(/\/{2,}/g, '/');
    if (clean === path) gateway.serve(exchange, path);
    else exchange.answer(307, [['location', clean]], EMPTY);
  }
}

/** Without its query; names of before 3.4 are today's. */
function pathOf(target: string): string {
  const raw = target.split('?', 1)[0] ?? '';
  let path = raw;
  try {
    path = decodeURIComponent(raw);
  } catch {
    // No such page.
  }
  return path.startsWith('/v3beta/') ? path.replace('/v3beta/', '/v3/') : path;
}
