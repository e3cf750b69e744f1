/**
 * `--auth-token`: `simple`, or etcd's `jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=5m`.
 * The keys are read here, so that one that is missing, unreadable, of another kind or not the other
 * one's half is named before anything starts.
 */

import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf } from '../../base/errors.js';
import { parseDuration, UsageError } from './spec.js';

/** How a method of RFC 7518 signs. `curve`: as node:crypto names it. */
export type JwtMethod =
  | { readonly kind: 'hmac' | 'rsa' | 'rsa-pss'; readonly name: string; readonly hash: string }
  | { readonly kind: 'ec'; readonly name: string; readonly hash: string; readonly curve: string }
  | { readonly kind: 'ed25519'; readonly name: string };

export interface JwtSettings {
  readonly method: JwtMethod;
  readonly verifyKey: KeyObject;
  /** Undefined: tokens come from elsewhere. */
  readonly signKey: KeyObject | undefined;
  readonly ttlMs: number;
}

const CURVES: Readonly<Record<string, string>> = { 256: 'prime256v1', 384: 'secp384r1', 512: 'secp521r1' };
const KINDS = { HS: 'hmac', RS: 'rsa', PS: 'rsa-pss' } as const;
const METHODS = [...['HS', 'RS', 'PS', 'ES'].flatMap((kind) => Object.keys(CURVES).map((bits) => kind + bits)), 'EdDSA'];
const DEFAULT_TTL = '5m';
const KNOWN = ['sign-method', 'pub-key', 'priv-key', 'ttl'];

function methodOf(name: string): JwtMethod {
  if (!METHODS.includes(name)) throw bad(`sign-method ${JSON.stringify(name)} is none of ${METHODS.join(', ')}`);
  if (name === 'EdDSA') return { kind: 'ed25519', name };
  const [kind, bits] = [name.slice(0, 2), name.slice(2)];
  const hash = `sha${bits}`;
  return kind === 'ES' ? { kind: 'ec', name, hash, curve: CURVES[bits] as string } : { kind: KINDS[kind as keyof typeof KINDS], name, hash };
}

/** Undefined: simple tokens. Throws UsageError. */
export function jwtOf(text: string): JwtSettings | undefined {
  const [type = '', ...rest] = text.split(',');
  if (type === 'simple' && rest.length === 0) return undefined;
  if (type !== 'jwt') throw bad(`${JSON.stringify(text)} is neither simple nor jwt,sign-method=...`);
  const given = new Map<string, string>();
  for (const pair of rest) {
    const [name = '', value, ...more] = pair.split('=');
    if (value === undefined || more.length > 0) throw bad(`${JSON.stringify(pair)} is not name=value`);
    if (!KNOWN.includes(name)) throw bad(`${JSON.stringify(name)} is none of ${KNOWN.join(', ')}`);
    if (given.has(name)) throw bad(`${name} is given twice`);
    given.set(name, value);
  }
  const method = methodOf(given.get('sign-method') ?? '');
  const ttl = given.get('ttl') || DEFAULT_TTL;
  const ttlMs = parseDuration(ttl);
  if (ttlMs === undefined || ttlMs < 1000) throw bad(`ttl ${JSON.stringify(ttl)} is no duration of a second or more, such as 5m`);
  return { method, ttlMs, ...keysOf(method, given.get('pub-key') ?? '', given.get('priv-key') ?? '') };
}

function keysOf(method: JwtMethod, publicFile: string, privateFile: string): Pick<JwtSettings, 'signKey' | 'verifyKey'> {
  if (method.kind === 'hmac') {
    if (privateFile === '') throw bad(`${method.name} needs priv-key: the file with the secret`);
    const secret = read('priv-key', privateFile);
    if (secret.length === 0) throw bad(`priv-key: ${privateFile} is empty`);
    const key = createSecretKey(secret);
    return { signKey: key, verifyKey: key };
  }
  if (publicFile === '' && privateFile === '') throw bad(`${method.name} needs pub-key, priv-key or both`);
  const signKey = privateFile === '' ? undefined : keyOf(method, 'priv-key', privateFile);
  const given = publicFile === '' ? undefined : keyOf(method, 'pub-key', publicFile);
  const own = signKey === undefined ? undefined : createPublicKey(signKey);
  if (own !== undefined && given !== undefined && !own.equals(given)) throw bad('pub-key is not the public half of priv-key');
  return { signKey, verifyKey: (own ?? given) as KeyObject };
}

function keyOf(method: Exclude<JwtMethod, { kind: 'hmac' }>, option: 'pub-key' | 'priv-key', file: string): KeyObject {
  const pem = read(option, file);
  let key: KeyObject;
  try {
    // A private key would pass for its public half: then the secret is in the wrong file.
    if (option === 'pub-key' && pem.includes('PRIVATE KEY')) throw new Error('it is a private key');
    key = option === 'pub-key' ? createPublicKey(pem) : createPrivateKey(pem);
  } catch (error) {
    throw bad(`${option}: ${file} is no ${option === 'pub-key' ? 'public' : 'private'} key in PEM: ${messageOf(error)}`);
  }
  const want = method.kind === 'rsa-pss' ? 'rsa' : method.kind;
  if (key.asymmetricKeyType !== want) throw bad(`${option}: ${file} is a key for ${key.asymmetricKeyType}, and ${method.name} needs one for ${want}`);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (method.kind === 'ec' && curve !== method.curve) throw bad(`${option}: ${file} is on the curve ${curve}, and ${method.name} needs ${method.curve}`);
  return key;
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw bad(`${option}: ${messageOf(error)}`);
  }
}

function bad(why: string): UsageError {
  return new UsageError(`--auth-token: ${why}`);
}
