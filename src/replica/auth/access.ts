/**
 * What the calls of clients may do on this member. Who a caller is, is found out by the auth state
 * as of that moment, and never kept: a user that was deleted, a role that was revoked and a token
 * that has expired count from then on. What changes something is checked again at apply.
 */

import type { Caller } from '../../api/caller.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { RequestOp } from '../../api/requests.js';
import type { LogIndex } from '../../base/ids.js';
import type { AuthState } from './auth-state.js';
import type { LeasePermit, LeasedKeys } from './lease-permit.js';
import { MEMBER, NOBODY, type Principal } from './principal.js';
import type { SimpleTokens } from './simple-tokens.js';

/** The replicated state; what it holds may be another one later. */
export interface AuthHolder {
  readonly auth: AuthState;
  readonly leasedKeys: LeasedKeys;
}

export class Access {
  readonly tokens: SimpleTokens;
  readonly #holder: AuthHolder;

  constructor(holder: AuthHolder, tokens: SimpleTokens) {
    this.#holder = holder;
    this.tokens = tokens;
  }

  /** Auth is on, as far as this member has applied the log. */
  get enabled(): boolean {
    return this.#holder.auth.enabled;
  }

  /** Whatever was allowed in the name of somebody holds as long as this is the same. */
  get epoch(): string {
    const { enabled, revision } = this.#holder.auth;
    return `${enabled ? 'on' : 'off'} ${revision}`;
  }

  get revision(): number {
    return this.#holder.auth.revision;
  }

  /** The caller's token is good only where more of the log was applied than here. */
  isAhead(caller: Caller | undefined, applied: LogIndex): boolean {
    return caller?.token !== undefined && caller.token.index > applied;
  }

  /**
   * In whose name the caller acts; without one it is the member itself. Throws EtcdError
   * INVALID_AUTH_TOKEN.
   */
  principalOf(caller: Caller | undefined): Principal {
    const { auth } = this.#holder;
    if (!auth.enabled) return NOBODY;
    if (caller === undefined) return MEMBER;
    if (caller.claims !== undefined) return { kind: 'user', name: caller.claims.user, revision: caller.claims.revision };
    if (caller.hasToken) {
      const name = caller.token === undefined ? undefined : this.tokens.userOf(caller.token.digest);
      if (name === undefined) throw new EtcdError('INVALID_AUTH_TOKEN');
      return { kind: 'user', name, revision: auth.revision };
    }
    return caller.commonName === undefined ? NOBODY : { kind: 'user', name: caller.commonName, revision: auth.revision };
  }

  /** Throws EtcdError. */
  requireRoot(caller: Caller | undefined): void {
    if (this.enabled) this.#holder.auth.checkRoot(this.principalOf(caller));
    note(caller);
  }

  /** Throws EtcdError. */
  requireUser(caller: Caller | undefined): void {
    if (this.enabled) {
      const who = this.principalOf(caller);
      if (who.kind === 'nobody') throw new EtcdError('USER_EMPTY');
    }
    note(caller);
  }

  /** One that is sent must be good. Throws EtcdError INVALID_AUTH_TOKEN. */
  requireGoodToken(caller: Caller): void {
    if (this.enabled) this.principalOf(caller);
    note(caller);
  }

  /** All that the request reads and writes. Throws EtcdError. */
  require(caller: Caller | undefined, request: RequestOp): void {
    this.permit(caller)?.request(request);
  }

  /** To ask of single ranges and leases; undefined: nothing is refused. Throws EtcdError. */
  permit(caller: Caller | undefined): LeasePermit | undefined {
    note(caller);
    if (!this.enabled) return undefined;
    return this.#holder.auth.permit(this.principalOf(caller), this.#holder.leasedKeys);
  }
}

function note(caller: Caller | undefined): void {
  if (caller !== undefined) caller.checked = true;
}
