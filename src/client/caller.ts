/**
 * A call of the client: through its endpoints, in the name of whoever it has logged in as. One that
 * is refused for its token changed nothing, and is made once more with a new one; of a stream only
 * if nothing of it has come yet.
 */

import type { CallLimits, Dialer } from './connection.js';
import { Endpoints, type CallOptions, type CallSpec, type EndpointsOptions } from './endpoints.js';
import { isRefusedToken, Login, type AuthOptions } from './login.js';

export type { CallOptions } from './endpoints.js';

export class Caller {
  readonly #endpoints: Endpoints;
  readonly #login: Login | undefined;

  constructor(options: EndpointsOptions, dialer: Dialer, auth?: AuthOptions) {
    this.#endpoints = new Endpoints(options, dialer);
    this.#login = auth === undefined ? undefined : new Login(auth, this.#endpoints);
  }

  get endpoints(): readonly string[] {
    return this.#endpoints.names;
  }

  /** For a call that its consumer resumes, with {@link limits}. */
  get through(): Endpoints {
    return this.#endpoints;
  }

  /** Of a call that begins now, with a token; another one than it had when it was refused. */
  async limits(options: CallOptions, refused?: CallLimits): Promise<CallLimits> {
    return this.#named({ ...this.#endpoints.limits(options), token: refused?.token });
  }

  close(): void {
    this.#endpoints.close();
  }

  async unary(spec: CallSpec, options: CallOptions): Promise<Uint8Array> {
    const limits = await this.#named(this.#endpoints.limits(options));
    try {
      return await this.#endpoints.unary(spec, limits, options.endpoint);
    } catch (error) {
      if (!isRefusedToken(error, limits.token)) throw error;
      return this.#endpoints.unary(spec, await this.#named(limits), options.endpoint);
    }
  }

  /** No deadline unless one is given. */
  async *stream(path: string, request: Uint8Array, options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    let limits = await this.#named(this.#endpoints.limits({ timeoutMs: Infinity, ...options }));
    let begun = false;
    try {
      for await (const message of this.#endpoints.stream(path, request, limits, options.endpoint)) {
        begun = true;
        yield message;
      }
      return;
    } catch (error) {
      if (begun || !isRefusedToken(error, limits.token)) throw error;
      limits = await this.#named(limits);
    }
    yield* this.#endpoints.stream(path, request, limits, options.endpoint);
  }

  /** With a token, and another one than it has. */
  async #named(limits: CallLimits): Promise<CallLimits> {
    return this.#login === undefined ? limits : { ...limits, token: await this.#login.token(limits) };
  }
}
