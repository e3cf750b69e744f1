/**
 * Who makes a call: by the token that it sends (etcd's `token`, or `authorization`), else by the
 * name in its certificate. The secret of a token goes no further than here.
 */

import { createHash } from 'node:crypto';
import { Caller, type SimpleToken } from '../../api/caller.js';
import type { ServerCall } from '../../grpc/method.js';

/** The secret, and the entry that made it good. */
const TOKEN = /^([0-9a-f]{32})\.(\d{1,15})$/;

export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function simpleToken(text: string): SimpleToken | undefined {
  const [, secret, index] = TOKEN.exec(text) ?? [];
  return secret === undefined ? undefined : { digest: digestOf(secret), index: Number(index) };
}

/** The same for the whole call. */
export function callerOf(call: ServerCall): Caller {
  return (call.caller ??= read(call)) as Caller;
}

function read(call: ServerCall): Caller {
  const text = call.metadata('token') ?? call.metadata('authorization')?.replace(/^Bearer /, '');
  // What a gateway shows is its own certificate, not its client's.
  const commonName = call.metadata('grpcgateway-accept') === undefined ? call.clientCommonName : undefined;
  return new Caller({ hasToken: text !== undefined, token: text === undefined ? undefined : simpleToken(text), commonName });
}
