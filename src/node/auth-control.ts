/**
 * What operators do about users, roles and auth, and how somebody authenticates: the changes go
 * through the log in the caller's name, and are checked when they are applied; what only reads is
 * linearizable, and is checked against what it reads. Passwords do not come here, only hashes.
 */

import type { Caller } from '../api/caller.js';
import { EtcdError } from '../api/etcd-error.js';
import { sleep } from '../base/env.js';
import { codeOf } from '../base/errors.js';
import type { Access } from '../replica/auth/access.js';
import type { AuthCommand, AuthResponse } from '../replica/auth/auth-command.js';
import type { Role, User } from '../replica/auth/auth-state.js';
import { NOBODY, type Principal } from '../replica/auth/principal.js';
import { VERSION_3 } from '../replica/base/protocol.js';
import type { ClientCommand, CommandResponse } from '../replica/kv/command.js';
import type { Replica } from '../replica/replica.js';
import type { AuthApi, AuthStatus, StoredPassword } from './store.js';

const POLL_MS = 20;
/** Election time-outs. */
const VERSION_ROUNDS = 3;
/** So often it is said in whose name, while users and roles change on the way. */
const ATTEMPTS = 4;

export class AuthControl implements AuthApi {
  readonly #replica: Replica;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  get #access(): Access {
    return this.#replica.state.access;
  }

  async status(): Promise<AuthStatus> {
    await this.#current();
    const { enabled, revision } = this.#replica.state.auth;
    return { enabled, revision };
  }

  async change(command: AuthCommand, caller?: Caller): Promise<AuthResponse> {
    if (caller !== undefined) caller.checked = true;
    await this.#allowed();
    const { proposals } = this.#replica;
    if (command.kind === 'authenticate') return answerOf(await proposals.propose({ kind: 'auth', change: command }, NOBODY));
    return answerOf(await this.propose({ kind: 'auth', change: command }, caller));
  }

  /**
   * In the caller's name, as auth is when it is asked. If auth was turned on or changed before the
   * entry was applied, the refusal changed nothing, and is known here: it is asked for again.
   */
  propose(command: ClientCommand, caller: Caller | undefined): Promise<CommandResponse> {
    const isPlain = caller?.isAnonymous === true && !this.#access.enabled;
    return isPlain ? this.#replica.proposals.propose(command, NOBODY) : this.#proposeAs(command, caller);
  }

  async #proposeAs(command: ClientCommand, caller: Caller | undefined): Promise<CommandResponse> {
    const { proposals } = this.#replica;
    await this.catchUp(caller);
    for (let attempt = 1; ; attempt++) {
      const who = this.#access.principalOf(caller);
      try {
        return await proposals.propose(command, who);
      } catch (error) {
        if (attempt >= ATTEMPTS || !hasMoved(error, who, caller)) throw error;
      }
    }
  }

  /** The caller may know more than this member: a token that it does not know yet. */
  async catchUp(caller: Caller | undefined): Promise<void> {
    const { reads, progress } = this.#replica;
    if (this.#access.isAhead(caller, progress.applied.value)) await reads.confirm();
  }

  async password(name: string): Promise<StoredPassword> {
    await this.#current();
    const { auth } = this.#replica.state;
    if (!auth.enabled) throw new EtcdError('AUTH_NOT_ENABLED');
    const user = auth.user(name);
    if (user !== undefined && user.hash === undefined) throw new EtcdError('NO_PASSWORD_USER');
    return { hash: user?.hash, revision: auth.revision };
  }

  async users(caller?: Caller): Promise<readonly User[]> {
    await this.#current();
    this.#access.requireRoot(caller);
    return this.#replica.state.auth.users();
  }

  async roles(caller?: Caller): Promise<readonly Role[]> {
    await this.#current();
    this.#access.requireRoot(caller);
    return this.#replica.state.auth.roles();
  }

  /** Who has not the role `root` may see their own. */
  async user(name: string, caller?: Caller): Promise<User> {
    await this.#current();
    const { auth } = this.#replica.state;
    if (this.#nameOf(caller) !== name) this.#access.requireRoot(caller);
    const user = auth.user(name);
    if (user === undefined) throw new EtcdError('USER_NOT_FOUND');
    return user;
  }

  /** Who has not the role `root` may see those that they have. */
  async role(name: string, caller?: Caller): Promise<Role> {
    await this.#current();
    const { auth } = this.#replica.state;
    const own = this.#nameOf(caller);
    if (own === undefined || auth.user(own)?.roles.includes(name) !== true) this.#access.requireRoot(caller);
    const role = auth.role(name);
    if (role === undefined) throw new EtcdError('ROLE_NOT_FOUND');
    return role;
  }

  /** Undefined: nobody's. Throws EtcdError INVALID_AUTH_TOKEN. */
  #nameOf(caller: Caller | undefined): string | undefined {
    if (caller !== undefined) caller.checked = true;
    const who = this.#access.principalOf(caller);
    return who.kind === 'user' ? who.name : undefined;
  }

  /** A new cluster raises its version a moment after it serves. */
  async #allowed(): Promise<void> {
    const { env, state, options } = this.#replica;
    const deadline = env.clock.now() + VERSION_ROUNDS * options.electionMs;
    while (state.version < VERSION_3) {
      if (env.clock.now() >= deadline) throw new EtcdError('CLUSTER_TOO_OLD', 'auth needs all members to run a newer program');
      await sleep(env.clock, POLL_MS);
    }
  }

  #current(): Promise<void> {
    return this.#replica.reads.linearizable();
  }
}

function answerOf(response: CommandResponse): AuthResponse {
  return (response as Extract<CommandResponse, { kind: 'auth' }>).response;
}

/** It was refused for what this member did not know when it said in whose name. */
function hasMoved(error: unknown, who: Principal, caller: Caller | undefined): boolean {
  if (who.kind === 'nobody') return codeOf(error) === 'USER_EMPTY' && caller?.isAnonymous !== true;
  // A signed token says itself of which revision it is.
  return codeOf(error) === 'AUTH_OLD_REVISION' && caller?.claims === undefined;
}
