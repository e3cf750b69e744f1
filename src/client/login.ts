/**
 * In whose name the client calls: a token that the cluster gave out for a name and a password. It
 * is asked for at the first call, shared by all calls, and asked for again when the cluster says
 * that it is not good any more. While auth is off there is none, as in etcd's own client. The
 * password stands in the request that carries it and in nothing that is said.
 */

import { ETCD_MESSAGES } from '../api/etcd-error.js';
import { ReflectedRpc } from '../api/protos/reflected-rpc.js';
import { CodecError } from '../base/errors.js';
import type { CallLimits } from './connection.js';
import type { Endpoints } from './endpoints.js';
import { badArgument, ClientError } from './errors.js';
import { textOf } from './message.js';

export interface AuthOptions {
  readonly name: string;
  readonly password: string;
}

/** Auth is off. */
const NO_TOKEN = '';
/** The longest that a timer can wait, in ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Nothing was done, and another token than `token` may help. Undefined: nobody has logged in. */
export function isRefusedToken(error: unknown, token: string | undefined): boolean {
  if (token === undefined || !(error instanceof ClientError)) return false;
  const { details } = error;
  const { AUTH_OLD_REVISION, INVALID_AUTH_TOKEN, USER_EMPTY } = ETCD_MESSAGES;
  return details === INVALID_AUTH_TOKEN || details === AUTH_OLD_REVISION || (details === USER_EMPTY && token === NO_TOKEN);
}

export class Login {
  readonly #endpoints: Endpoints;
  readonly #name: string;
  readonly #password: string;
  #token: string | undefined;
  /** At most one is under way. */
  #asking: Promise<string> | undefined;

  /** Throws ClientError INVALID_ARGUMENT. */
  constructor({ name, password }: AuthOptions, endpoints: Endpoints) {
    if (name === '') throw badArgument('auth: the name of the user is empty');
    this.#name = name;
    this.#password = password;
    this.#endpoints = endpoints;
  }

  /**
   * A token, and not the one of `limits`, which was refused; empty while auth is off. Waits no
   * longer than the call may take. Throws ClientError: nothing was sent of the call itself.
   */
  async token(limits: CallLimits): Promise<string> {
    if (limits.token !== undefined && limits.token === this.#token) this.#token = undefined;
    return this.#token ?? within(this.#asking ??= this.#ask(), limits);
  }

  async #ask(): Promise<string> {
    try {
      return (this.#token = await this.#authenticate());
    } finally {
      this.#asking = undefined;
    }
  }

  async #authenticate(): Promise<string> {
    const rpc = new ReflectedRpc('etcdserverpb.Auth', 'Authenticate', 'read');
    const request = rpc.encodeRequest({ name: this.#name, password: this.#password });
    try {
      const answer = await this.#endpoints.unary({ path: rpc.path, request, idempotent: true }, this.#endpoints.limits({}), undefined);
      return textOf(rpc.decodeResponse(answer), 'token');
    } catch (error) {
      if (error instanceof CodecError) throw new ClientError('INTERNAL', { details: `the answer does not parse: ${error.message}`, unsent: true });
      if (!(error instanceof ClientError)) throw error;
      const { code, details, endpoint, attempts, failures } = error;
      if (details === ETCD_MESSAGES.AUTH_NOT_ENABLED) return NO_TOKEN;
      throw new ClientError(code, { details, endpoint, attempts, failures, unsent: true, cause: error });
    }
  }
}

function within<T>(promise: Promise<T>, { deadline, signal }: CallLimits): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (code: 'CANCELLED' | 'DEADLINE_EXCEEDED', details: string): void => reject(new ClientError(code, { details, unsent: true }));
    const cancel = (): void => give('CANCELLED', 'the call was cancelled');
    const left = Math.min(Math.max(deadline - Date.now(), 0), MAX_TIMER_MS);
    const timer = setTimeout(() => give('DEADLINE_EXCEEDED', 'no token within the time of the call'), left);
    signal?.addEventListener('abort', cancel, { once: true });
    void promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    });
  });
}
