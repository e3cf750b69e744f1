/**
 * `client.auth`: etcd's Auth service. Who may do what, and whether anybody is asked. While auth is
 * on, all of it but {@link AuthClient.status} is root's, and a user may see itself and its roles.
 */

import { ReflectedRpc, type Message } from '../api/protos/reflected-rpc.js';
import type { ResponseHeader } from '../api/requests.js';
import type { Effect } from '../api/rpc.js';
import { EMPTY } from '../base/bytes.js';
import { callUnary } from './call.js';
import type { CallOptions, Caller } from './caller.js';
import { headerOf } from './maintenance.js';
import { flagOf, messagesOf, numberOf, textOf, textsOf } from './message.js';
import { boundsOf, type Bytes, type KeyRange } from './requests.js';

export interface AuthAnswer {
  readonly header: ResponseHeader;
}

export interface AuthStatus extends AuthAnswer {
  readonly enabled: boolean;
  /** Grows with each change of users, roles and permissions. */
  readonly revision: number;
}

export interface UserNames extends AuthAnswer {
  readonly users: readonly string[];
}

export interface RoleNames extends AuthAnswer {
  readonly roles: readonly string[];
}

export type PermissionType = 'read' | 'write' | 'readwrite';

export interface Permission {
  readonly type: PermissionType;
  readonly key: Uint8Array;
  /** Empty: the key alone. One zero byte: no end. */
  readonly rangeEnd: Uint8Array;
}

export interface RolePermissions extends AuthAnswer {
  readonly permissions: readonly Permission[];
}

export interface UserAddOptions extends CallOptions {
  /** Without one nobody logs in by a password: the user is for certificates. */
  readonly password?: string | undefined;
}

function permissionOf(message: Message): Permission {
  const bytes = (field: string): Uint8Array => (message[field] as Uint8Array | undefined) ?? EMPTY;
  return { type: textOf(message, 'permType').toLowerCase() as PermissionType, key: bytes('key'), rangeEnd: bytes('range_end') };
}

export class AuthClient {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  async status(options: CallOptions = {}): Promise<AuthStatus> {
    const message = await this.#call('AuthStatus', {}, options, 'read');
    return { header: headerOf(message), enabled: flagOf(message, 'enabled'), revision: numberOf(message, 'authRevision') };
  }

  /** There must be a user `root` with the role `root`. */
  enable(options: CallOptions = {}): Promise<AuthAnswer> {
    return this.#change('AuthEnable', {}, options);
  }

  disable(options: CallOptions = {}): Promise<AuthAnswer> {
    return this.#change('AuthDisable', {}, options);
  }

  userAdd(name: string, { password, ...options }: UserAddOptions = {}): Promise<AuthAnswer> {
    const secret = password === undefined ? { options: { no_password: true } } : { password };
    return this.#change('UserAdd', { name, ...secret }, options);
  }

  userDelete(name: string, options: CallOptions = {}): Promise<AuthAnswer> {
    return this.#change('UserDelete', { name }, options);
  }

  /** Its tokens are good no more. */
  userChangePassword(name: string, password: string, options: CallOptions = {}): Promise<AuthAnswer> {
    return this.#change('UserChangePassword', { name, password }, options);
  }

  /** Its roles. */
  userGet(name: string, options: CallOptions = {}): Promise<RoleNames> {
    return this.#roles('UserGet', { name }, options);
  }

  async userList(options: CallOptions = {}): Promise<UserNames> {
    const message = await this.#call('UserList', {}, options, 'read');
    return { header: headerOf(message), users: textsOf(message, 'users') };
  }

  userGrantRole(user: string, role: string, options: CallOptions = {}): Promise<AuthAnswer> {
    return this.#change('UserGrantRole', { user, role }, options);
  }

  userRevokeRole(user: string, role: string, options: CallOptions = {}): Promise<AuthAnswer> {
    return this.#change('UserRevokeRole', { name: user, role }, options);
  }

  roleAdd(role: string, options: CallOptions = {}): Promise<AuthAnswer> {
    return this.#change('RoleAdd', { name: role }, options);
  }

  roleDelete(role: string, options: CallOptions = {}): Promise<AuthAnswer> {
    return this.#change('RoleDelete', { role }, options);
  }

  async roleGet(role: string, options: CallOptions = {}): Promise<RolePermissions> {
    const message = await this.#call('RoleGet', { role }, options, 'read');
    return { header: headerOf(message), permissions: messagesOf(message, 'perm').map(permissionOf) };
  }

  roleList(options: CallOptions = {}): Promise<RoleNames> {
    return this.#roles('RoleList', {}, options);
  }

  roleGrantPermission(role: string, type: PermissionType, range: KeyRange | Bytes, options: CallOptions = {}): Promise<AuthAnswer> {
    const { key, rangeEnd } = boundsOf(range);
    return this.#change('RoleGrantPermission', { name: role, perm: { permType: type.toUpperCase(), key, range_end: rangeEnd } }, options);
  }

  /** The range must be one that was granted, whole. */
  roleRevokePermission(role: string, range: KeyRange | Bytes, options: CallOptions = {}): Promise<AuthAnswer> {
    const { key, rangeEnd } = boundsOf(range);
    return this.#change('RoleRevokePermission', { role, key, range_end: rangeEnd }, options);
  }

  async #roles(method: string, request: object, options: CallOptions): Promise<RoleNames> {
    const message = await this.#call(method, request, options, 'read');
    return { header: headerOf(message), roles: textsOf(message, 'roles') };
  }

  async #change(method: string, request: object, options: CallOptions): Promise<AuthAnswer> {
    return { header: headerOf(await this.#call(method, request, options, 'write')) };
  }

  #call(method: string, request: object, options: CallOptions, effect: Effect): Promise<Message> {
    return callUnary(this.#caller, new ReflectedRpc('etcdserverpb.Auth', method, effect), request, options);
  }
}
