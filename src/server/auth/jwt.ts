/**
 * Signed tokens (RFC 7519), as etcd makes and takes them: `username`, the `revision` of the auth
 * state, and `exp`. The method is the one of the configuration, whatever a token says of itself: so
 * a token without a signature, or one signed with a public key as if that were a secret, is none.
 * That a token is of an older auth state is found out where what it asks for is checked.
 *
 * Signing does not hold up the event loop; checking costs some 50 us, once for each token.
 */

import { constants, createHmac, sign, timingSafeEqual, verify, type KeyObject } from 'node:crypto';
import type { Claims } from '../../api/caller.js';
import type { Clock } from '../../base/env.js';
import { Code } from '../../grpc/code.js';
import { RpcError } from '../../grpc/status.js';
import type { JwtSettings } from '../options/auth-token.js';
import { digestOf } from './token-digest.js';

/** C1 Longer ones are not looked at. */
const MAX_LENGTH = 8_192;
/** C1 So many are remembered; the one that was found good longest ago goes. */
const MAX_REMEMBERED = 10_000;

interface Good {
  readonly claims: Claims;
  /** Milliseconds of the clock on the wall. */
  readonly from: number;
  readonly until: number;
}

export class JwtTokens {
  readonly #settings: JwtSettings;
  readonly #clock: Clock;
  /** By digest. */
  readonly #good = new Map<string, Good>();

  constructor(settings: JwtSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** Rejects with RpcError if only the public key is here. */
  async sign({ user, revision }: Claims): Promise<string> {
    const { signKey, ttlMs, method } = this.#settings;
    if (signKey === undefined) throw new RpcError(Code.UNKNOWN, 'auth: token signing attempted with verify-only key');
    const exp = Math.floor((this.#clock.wallNow() + ttlMs) / 1000);
    const text = `${encoded({ alg: method.name, typ: 'JWT' })}.${encoded({ exp, revision, username: user })}`;
    return `${text}.${(await this.#signature(text, signKey)).toString('base64url')}`;
  }

  /** What it says, if it is good now; undefined: it is not. */
  claimsOf(token: string): Claims | undefined {
    if (token.length > MAX_LENGTH) return undefined;
    const digest = digestOf(token);
    let good = this.#good.get(digest);
    if (good === undefined) {
      good = this.#check(token);
      if (good === undefined) return undefined;
      this.#good.set(digest, good);
      if (this.#good.size > MAX_REMEMBERED) this.#good.delete(this.#good.keys().next().value as string);
    }
    const now = this.#clock.wallNow();
    if (now >= good.from && now < good.until) return good.claims;
    this.#good.delete(digest);
    return undefined;
  }

  #check(token: string): Good | undefined {
    const [header = '', payload = '', signature = '', ...rest] = token.split('.');
    if (rest.length > 0 || signature === '') return undefined;
    if (decoded(header)?.['alg'] !== this.#settings.method.name) return undefined;
    if (!this.#isSigned(`${header}.${payload}`, Buffer.from(signature, 'base64url'))) return undefined;
    const { username, revision, exp = Infinity, nbf = 0 } = decoded(payload) ?? {};
    if (typeof username !== 'string' || typeof revision !== 'number' || !(revision >= 0)) return undefined;
    if (typeof exp !== 'number' || typeof nbf !== 'number') return undefined;
    const claims = { user: username, revision: Math.min(Math.trunc(revision), Number.MAX_SAFE_INTEGER) };
    return { claims, from: nbf * 1000, until: exp * 1000 };
  }

  #signature(text: string, key: KeyObject): Promise<Buffer> {
    const { method } = this.#settings;
    if (method.kind === 'hmac') return Promise.resolve(createHmac(method.hash, key).update(text).digest());
    return new Promise((resolve, reject) => {
      sign(this.#hash, Buffer.from(text), { key, ...this.#parameters }, (error, signature) => {
        if (error === null) resolve(signature);
        else reject(error);
      });
    });
  }

  #isSigned(text: string, signature: Buffer): boolean {
    const { method, verifyKey: key } = this.#settings;
    if (method.kind !== 'hmac') return verify(this.#hash, Buffer.from(text), { key, ...this.#parameters }, signature);
    const own = createHmac(method.hash, key).update(text).digest();
    return own.length === signature.length && timingSafeEqual(own, signature);
  }

  get #hash(): string | null {
    const { method } = this.#settings;
    return method.kind === 'ed25519' ? null : method.hash;
  }

  /** RFC 7518: of ECDSA both numbers one after the other, of PSS a salt as long as the hash. */
  get #parameters(): { dsaEncoding?: 'ieee-p1363'; padding?: number; saltLength?: number } {
    switch (this.#settings.method.kind) {
      case 'ec': return { dsaEncoding: 'ieee-p1363' };
      case 'rsa-pss': return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
      default: return {};
    }
  }
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function decoded(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
