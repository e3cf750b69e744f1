/**
 * What the calls of clients may do on this member. Who a caller is, is found out by the auth state
 * as of that moment, and never kept: a user that was deleted, a role that was revoked and a token
 * that has expired count from then on. What changes something is checked again at apply.
 */

import type { Caller } from '../../api/caller.js';
import { EtcdError } from '../../api/etcd-error.js';
import { assert } from '../../base/assert.js';
import type { RequestOp } from '../../api/requests.js';
import type { LogIndex } from '../../base/ids.js';
import type { AuthState } from './auth-state.js';
import type { LeasePermit } from './lease-permit.js';
import { leasesOf } from './needs.js';
import { MEMBER, NOBODY, type Principal } from './principal.js';
import type { SimpleTokens } from './simple-tokens.js';

/** The replicated state; what it holds may be another one later. */
export interface AuthHolder {
  readonly auth: AuthState;
}

/** In whose name somebody was let in. */
export interface Admission {
  readonly who: Principal;
  /** Of the user's password as of then: another one, or another user of that name, has another. */
  readonly hash: string | undefined;
}

export class Access {
  readonly tokens: SimpleTokens;
  readonly #holder: AuthHolder;

  constructor(holder: AuthHolder, tokens: SimpleTokens) {
    this.#holder = holder;
    this.tokens = tokens;
  }

  /** Nothing is refused: it is the member itself, or auth is off, as far as is known here. */
  isFree(caller: Caller | undefined): boolean {
    return !this.enabled || caller === undefined || caller.isOwner;
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

  /** What the caller shows is good only where more of the log was applied than here. */
  isAhead(caller: Caller | undefined, applied: LogIndex): boolean {
    if (caller?.claims !== undefined) return caller.claims.revision > this.revision;
    return caller?.token !== undefined && caller.token.index > applied;
  }

  /**
   * In whose name the caller acts; without one it is the member itself, as for the application that
   * it is part of. Throws EtcdError INVALID_AUTH_TOKEN.
   */
  principalOf(caller: Caller | undefined): Principal {
    const { auth } = this.#holder;
    if (!auth.enabled) return NOBODY;
    if (caller === undefined || caller.isOwner) return MEMBER;
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

  /** A user that is there, by whatever it shows. Throws EtcdError. */
  requireUser(caller: Caller | undefined): void {
    if (this.enabled) this.#holder.auth.checkUser(this.principalOf(caller));
    note(caller);
  }

  /**
   * Whoever says who it is: a user that is there by a token, or any certificate of an authority
   * that is trusted, whether or not there is a user of its name. Throws EtcdError.
   */
  requireName(caller: Caller | undefined): void {
    if (this.enabled) {
      const who = this.principalOf(caller);
      if (who.kind === 'nobody') throw new EtcdError('USER_EMPTY');
      // A simple token goes with its user; a signed one stays as it is.
      if (caller?.claims !== undefined) this.#holder.auth.checkUser(who);
    }
    note(caller);
  }

  /** One that is sent must be good. Throws EtcdError INVALID_AUTH_TOKEN. */
  requireGoodToken(caller: Caller): void {
    if (this.enabled) this.principalOf(caller);
    note(caller);
  }

  /** All that a request reads that writes nothing. Throws EtcdError. */
  require(caller: Caller | undefined, request: RequestOp): void {
    assert(leasesOf(request).size === 0, 'C1 what hangs on a lease is asked of in slices');
    this.permit(caller)?.request(request);
  }

  /**
   * Who the caller is that is let in now and stays, as a watcher does: to ask later whether it may
   * still. Undefined: auth is off, and nobody said who it is. Throws EtcdError.
   */
  admit(caller: Caller | undefined): Admission | undefined {
    if (!this.enabled) return undefined;
    const who = this.principalOf(caller);
    return { who, hash: hashOf(this.#holder.auth, who) };
  }

  /**
   * What somebody who was let in may do now. That its token runs out ends nothing: it was good when
   * it was shown, and an unrelated change of auth is no reason to throw anybody out. Who has shown
   * a password or a token that was taken back is out. Throws EtcdError.
   */
  permitAdmitted(caller: Caller | undefined, admission: Admission | undefined): LeasePermit | undefined {
    if (!this.enabled || admission === undefined) return this.permit(caller);
    const { auth } = this.#holder;
    const { who, hash } = admission;
    if (who.kind !== 'user') return auth.permit(who);
    const isByPassword = caller?.hasToken === true;
    if (isByPassword && hashOf(auth, who) !== hash) throw new EtcdError('INVALID_AUTH_TOKEN');
    return auth.permit({ ...who, revision: auth.revision });
  }

  /** To ask of single ranges and leases; undefined: nothing is refused. Throws EtcdError. */
  permit(caller: Caller | undefined): LeasePermit | undefined {
    note(caller);
    if (!this.enabled) return undefined;
    return this.#holder.auth.permit(this.principalOf(caller));
  }
}

function hashOf(auth: AuthState, who: Principal): string | undefined {
  return who.kind === 'user' ? auth.user(who.name)?.hash : undefined;
}

function note(caller: Caller | undefined): void {
  if (caller !== undefined) caller.checked = true;
}
