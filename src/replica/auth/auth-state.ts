/**
 * Users, roles, whether auth is on, and the revision that moves with each change: replicated state.
 * S2 What an entry may do is a function of the entries before it, and so is each refusal; etcd's
 * rules, in etcd's order and words.
 *
 * C1 There is a bound on all of it together, because it is sealed whole.
 */

import { unreachable } from '../../base/assert.js';
import { ByteReader, ByteWriter, MiB, compareBytes, equalBytes } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LogIndex } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import { readPermission, writePermission, type AuthCommand, type AuthResponse, type RolePermission } from './auth-command.js';
import { isOpenEnded, KeyRanges, type KeyRange } from './key-ranges.js';
import { LeasePermit } from './lease-permit.js';
import type { Principal } from './principal.js';
import type { SimpleTokens } from './simple-tokens.js';

export const ROOT = 'root';

export interface User {
  readonly name: string;
  /** Salted; undefined: no password is good. */
  readonly hash: string | undefined;
  /** Sorted. */
  readonly roles: readonly string[];
}

export interface Role {
  readonly name: string;
  /** By key. */
  readonly permissions: readonly RolePermission[];
}

const FORMAT = 1;
const MAX_BYTES = 2 * MiB;
/** Of a user or role besides its name. */
const RECORD_BYTES = 128;

interface Ranges {
  readonly read: KeyRanges;
  readonly write: KeyRanges;
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

export class AuthState {
  readonly #tokens: SimpleTokens;
  readonly #users = new Map<string, User>();
  readonly #roles = new Map<string, Role>();
  /** Of each user that was looked at; nobody's after a change. */
  readonly #ranges = new Map<string, Ranges>();
  #enabled = false;
  #revision = 1;

  constructor(tokens: SimpleTokens) {
    this.#tokens = tokens;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Begins with 1 and only grows. */
  get revision(): number {
    return this.#revision;
  }

  /** Nobody has ever asked for any of it: there is nothing to keep. */
  get isUnused(): boolean {
    return !this.#enabled && this.#revision === 1;
  }

  /** There are neither users nor roles. */
  get isEmpty(): boolean {
    return !this.#enabled && this.#users.size === 0 && this.#roles.size === 0;
  }

  user(name: string): User | undefined {
    return this.#users.get(name);
  }

  role(name: string): Role | undefined {
    return this.#roles.get(name);
  }

  users(): readonly User[] {
    return [...this.#users.values()].sort(byName);
  }

  roles(): readonly Role[] {
    return [...this.#roles.values()].sort(byName);
  }

  /** Throws EtcdError: USER_EMPTY, USER_NOT_FOUND, PERMISSION_DENIED. */
  checkRoot(who: Principal): void {
    if (!this.#enabled || who.kind === 'member') return;
    if (who.kind === 'nobody' || who.name === '') throw new EtcdError('USER_EMPTY');
    const user = this.#users.get(who.name);
    if (user === undefined) throw new EtcdError('USER_NOT_FOUND');
    if (!user.roles.includes(ROOT)) throw new EtcdError('PERMISSION_DENIED');
  }

  /** Throws EtcdError: USER_EMPTY, AUTH_OLD_REVISION, PERMISSION_DENIED. */
  checkUser(who: Principal): void {
    if (!this.#enabled || who.kind === 'member') return;
    this.#user(who);
  }

  /**
   * To ask of ranges and leases; undefined: nothing is refused. Throws EtcdError: USER_EMPTY,
   * AUTH_OLD_REVISION, PERMISSION_DENIED.
   */
  permit(who: Principal): LeasePermit | undefined {
    if (!this.#enabled || who.kind === 'member') return undefined;
    const user = this.#user(who);
    if (user.roles.includes(ROOT)) return undefined;
    const { read, write } = this.#rangesOf(user);
    return new LeasePermit(read, write);
  }

  #user(who: Principal): User {
    if (who.kind !== 'user' || who.revision === 0) throw new EtcdError('USER_EMPTY');
    if (who.revision < this.#revision) throw new EtcdError('AUTH_OLD_REVISION');
    const user = this.#users.get(who.name);
    if (user === undefined) throw new EtcdError('PERMISSION_DENIED');
    return user;
  }

  #rangesOf(user: User): Ranges {
    const known = this.#ranges.get(user.name);
    if (known !== undefined) return known;
    const permissions = user.roles.flatMap((role) => this.#roles.get(role)?.permissions ?? []);
    const ranges = {
      read: new KeyRanges(permissions.filter(({ type }) => type !== 'write')),
      write: new KeyRanges(permissions.filter(({ type }) => type !== 'read')),
    };
    this.#ranges.set(user.name, ranges);
    return ranges;
  }

  /** An entry says so. Throws EtcdError: nothing was changed. */
  apply(index: LogIndex, who: Principal, command: AuthCommand): AuthResponse {
    if (command.kind !== 'authenticate') this.checkRoot(who);
    switch (command.kind) {
      case 'enable': this.#enable(); break;
      case 'disable': this.#disable(); break;
      case 'authenticate': this.#authenticate(command, index); break;
      default: this.#change(command);
    }
    return { revision: this.#revision, index };
  }

  #enable(): void {
    if (this.#enabled) return;
    const root = this.#users.get(ROOT);
    if (root === undefined) throw new EtcdError('ROOT_USER_NOT_EXIST');
    if (!root.roles.includes(ROOT)) throw new EtcdError('ROOT_ROLE_NOT_EXIST');
    this.#enabled = true;
  }

  #disable(): void {
    if (!this.#enabled) return;
    this.#enabled = false;
    this.#tokens.clear();
    this.#moved();
  }

  #authenticate({ user: name, revision, token }: Extract<AuthCommand, { kind: 'authenticate' }>, index: LogIndex): void {
    if (!this.#enabled) throw new EtcdError('AUTH_NOT_ENABLED');
    if (this.#users.get(name)?.hash === undefined) throw new EtcdError('AUTH_FAILED');
    // The password was compared with what may not be there any more.
    if (revision !== this.#revision) throw new EtcdError('AUTH_OLD_REVISION');
    if (token !== '') this.#tokens.add(token, name, index);
  }

  #change(command: Exclude<AuthCommand, { kind: 'enable' | 'disable' | 'authenticate' }>): void {
    switch (command.kind) {
      case 'user-add': return this.#addUser(command.user, command.hash);
      case 'user-delete': return this.#deleteUser(command.user);
      case 'user-password': return this.#changePassword(command.user, command.hash);
      case 'user-grant': return this.#grantRole(command.user, command.role);
      case 'user-revoke': return this.#revokeRole(command.user, command.role);
      case 'role-add': return this.#addRole(command.role);
      case 'role-delete': return this.#deleteRole(command.role);
      case 'role-grant': return this.#grantPermission(command.role, command.permission);
      case 'role-revoke': return this.#revokePermission(command.role, command.range);
      default: return unreachable(command);
    }
  }

  #addUser(name: string, hash: string | undefined): void {
    if (name === '') throw new EtcdError('USER_EMPTY');
    if (this.#users.has(name)) throw new EtcdError('USER_ALREADY_EXIST');
    this.#roomFor(RECORD_BYTES + name.length);
    this.#users.set(name, { name, hash, roles: [] });
    this.#moved();
  }

  #deleteUser(name: string): void {
    if (this.#enabled && name === ROOT) throw new EtcdError('INVALID_AUTH_MGMT');
    if (!this.#users.delete(name)) throw new EtcdError('USER_NOT_FOUND');
    this.#tokens.forget(name);
    this.#moved();
  }

  #changePassword(name: string, hash: string): void {
    const user = this.#mustUser(name);
    // Whoever has none keeps none.
    this.#users.set(name, { ...user, hash: user.hash === undefined ? undefined : hash });
    this.#tokens.forget(name);
    this.#moved();
  }

  #grantRole(name: string, role: string): void {
    const user = this.#mustUser(name);
    if (role !== ROOT) this.#mustRole(role);
    if (user.roles.includes(role)) return;
    this.#roomFor(role.length);
    this.#users.set(name, { ...user, roles: [...user.roles, role].sort() });
    this.#moved();
  }

  #revokeRole(name: string, role: string): void {
    if (this.#enabled && name === ROOT && role === ROOT) throw new EtcdError('INVALID_AUTH_MGMT');
    const user = this.#mustUser(name);
    if (!user.roles.includes(role)) throw new EtcdError('ROLE_NOT_GRANTED');
    this.#users.set(name, { ...user, roles: user.roles.filter((each) => each !== role) });
    this.#moved();
  }

  #addRole(name: string): void {
    if (name === '') throw new EtcdError('ROLE_EMPTY');
    if (this.#roles.has(name)) throw new EtcdError('ROLE_ALREADY_EXIST');
    this.#roomFor(RECORD_BYTES + name.length);
    this.#roles.set(name, { name, permissions: [] });
    this.#moved();
  }

  #deleteRole(name: string): void {
    if (this.#enabled && name === ROOT) throw new EtcdError('INVALID_AUTH_MGMT');
    if (!this.#roles.delete(name)) throw new EtcdError('ROLE_NOT_FOUND');
    for (const user of this.#users.values()) {
      if (user.roles.includes(name)) this.#users.set(user.name, { ...user, roles: user.roles.filter((each) => each !== name) });
    }
    this.#moved();
  }

  #grantPermission(name: string, permission: RolePermission): void {
    const { key, rangeEnd } = permission;
    const isRange = rangeEnd.length === 0 || isOpenEnded(rangeEnd) || compareBytes(key, rangeEnd) < 0;
    if (key.length === 0 || !isRange) throw new EtcdError('INVALID_AUTH_MGMT');
    const role = this.#mustRole(name);
    const others = role.permissions.filter((each) => !isSame(each, permission));
    if (others.length === role.permissions.length) this.#roomFor(RECORD_BYTES + key.length + rangeEnd.length);
    const permissions = [...others, permission].sort((a, b) => compareBytes(a.key, b.key) || compareBytes(a.rangeEnd, b.rangeEnd));
    this.#roles.set(name, { name, permissions });
    this.#moved();
  }

  #revokePermission(name: string, range: KeyRange): void {
    const role = this.#mustRole(name);
    const permissions = role.permissions.filter((each) => !isSame(each, range));
    if (permissions.length === role.permissions.length) throw new EtcdError('PERMISSION_NOT_GRANTED');
    this.#roles.set(name, { name, permissions });
    this.#moved();
  }

  #mustUser(name: string): User {
    const user = this.#users.get(name);
    if (user === undefined) throw new EtcdError('USER_NOT_FOUND');
    return user;
  }

  #mustRole(name: string): Role {
    const role = this.#roles.get(name);
    if (role === undefined) throw new EtcdError('ROLE_NOT_FOUND');
    return role;
  }

  #moved(): void {
    this.#revision++;
    this.#ranges.clear();
  }

  #roomFor(bytes: number): void {
    if (this.encode().length + bytes > MAX_BYTES) throw new EtcdError('AUTH_TOO_LARGE');
  }

  encode(): Uint8Array {
    const out = new ByteWriter(256).u8(FORMAT).u8(this.#enabled ? 1 : 0).varint(this.#revision);
    out.varint(this.#users.size);
    for (const { name, hash, roles } of this.users()) {
      out.text(name).u8(hash === undefined ? 0 : 1).text(hash ?? '').varint(roles.length);
      for (const role of roles) out.text(role);
    }
    out.varint(this.#roles.size);
    for (const { name, permissions } of this.roles()) {
      out.text(name).varint(permissions.length);
      for (const permission of permissions) writePermission(out, permission);
    }
    return out.finish();
  }

  /** Throws CodecError. */
  static decode(bytes: Uint8Array, tokens: SimpleTokens): AuthState {
    const input = new ByteReader(bytes, 'auth');
    const format = input.u8();
    if (format !== FORMAT) throw new CodecError(`auth: format ${format} is not supported`);
    const state = new AuthState(tokens);
    state.#enabled = input.u8() !== 0;
    state.#revision = input.varint();
    for (let left = input.count(); left > 0; left--) {
      const name = input.text();
      const has = input.u8() !== 0;
      const hash = input.text();
      const roles = Array.from({ length: input.count() }, () => input.text());
      state.#users.set(name, { name, hash: has ? hash : undefined, roles });
    }
    for (let left = input.count(); left > 0; left--) {
      const name = input.text();
      state.#roles.set(name, { name, permissions: Array.from({ length: input.count() }, () => readPermission(input)) });
    }
    input.end();
    return state;
  }
}

function isSame(a: KeyRange, b: KeyRange): boolean {
  return equalBytes(a.key, b.key) && equalBytes(a.rangeEnd, b.rangeEnd);
}
