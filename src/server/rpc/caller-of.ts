/**
 * Who makes a call: by the token that it sends (etcd's `token`, or `authorization`), else by the
 * name in its certificate. The secret of a token goes no further than here.
 */

import { Caller, type SimpleToken } from '../../api/caller.js';
import type { ServerCall } from '../../grpc/method.js';
import type { JwtTokens } from '../auth/jwt.js';
import { digestOf } from '../auth/token-digest.js';

/** The secret, and the entry that made it good. */
const TOKEN = /^([0-9a-f]{32})\.(\d{1,15})$/;

function simpleToken(text: string): SimpleToken | undefined {
  const [, secret, index] = TOKEN.exec(text) ?? [];
  return secret === undefined ? undefined : { digest: digestOf(secret), index: Number(index) };
}

/** The same for the whole call. */
export function callerOf(call: ServerCall): Caller {
  return (call.caller ??= read(call, undefined)) as Caller;
}

/** Where tokens are signed ones: to be asked first of all. */
export function readCaller(call: ServerCall, jwt: JwtTokens): void {
  call.caller = read(call, jwt);
}

function read(call: ServerCall, jwt: JwtTokens | undefined): Caller {
  const text = call.metadata('token') ?? call.metadata('authorization')?.replace(/^Bearer /, '');
  // What a gateway shows is its own certificate, not its client's.
  const commonName = call.metadata('grpcgateway-accept') === undefined ? call.clientCommonName : undefined;
  if (text === undefined) return new Caller({ hasToken: false, commonName });
  if (jwt !== undefined) return new Caller({ hasToken: true, claims: jwt.claimsOf(text), commonName });
  return new Caller({ hasToken: true, token: simpleToken(text), commonName });
}
