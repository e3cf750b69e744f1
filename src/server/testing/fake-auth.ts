/** Users and roles in memory: the real state, without a log. For tests only. */

import type { Caller } from '../../api/caller.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { AuthApi, AuthStatus, StoredPassword } from '../../node/store.js';
import { Access } from '../../replica/auth/access.js';
import type { AuthCommand, AuthResponse } from '../../replica/auth/auth-command.js';
import { AuthState, type Role, type User } from '../../replica/auth/auth-state.js';
import { NOBODY } from '../../replica/auth/principal.js';
import { SimpleTokens } from '../../replica/auth/simple-tokens.js';

export class FakeAuth implements AuthApi {
  readonly tokens = new SimpleTokens();
  readonly auth = new AuthState(this.tokens);
  readonly access = new Access(this, this.tokens);
  #index = 0;

  status(): Promise<AuthStatus> {
    return Promise.resolve(this.auth);
  }

  async password(name: string): Promise<StoredPassword> {
    if (!this.auth.enabled) throw new EtcdError('AUTH_NOT_ENABLED');
    return { hash: this.auth.user(name)?.hash, revision: this.auth.revision };
  }

  async change(command: AuthCommand, caller?: Caller): Promise<AuthResponse> {
    if (caller !== undefined) caller.checked = true;
    const who = command.kind === 'authenticate' ? NOBODY : this.access.principalOf(caller);
    return this.auth.apply(++this.#index, who, command);
  }

  async users(caller?: Caller): Promise<readonly User[]> {
    this.access.requireRoot(caller);
    return this.auth.users();
  }

  async roles(caller?: Caller): Promise<readonly Role[]> {
    this.access.requireRoot(caller);
    return this.auth.roles();
  }

  async user(name: string, caller?: Caller): Promise<User> {
    this.access.requireRoot(caller);
    const user = this.auth.user(name);
    if (user === undefined) throw new EtcdError('USER_NOT_FOUND');
    return user;
  }

  async role(name: string, caller?: Caller): Promise<Role> {
    this.access.requireRoot(caller);
    const role = this.auth.role(name);
    if (role === undefined) throw new EtcdError('ROLE_NOT_FOUND');
    return role;
  }

  catchUp(): Promise<void> {
    return Promise.resolve();
  }
}
