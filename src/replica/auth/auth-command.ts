/**
 * What changes the auth state, as the log carries it. Passwords are in it only as their salted
 * hashes, and tokens only as digests of their secrets: whoever reads a log, a table or a backup
 * learns nothing to log in with.
 */

import { unreachable } from '../../base/assert.js';
import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LogIndex } from '../../base/ids.js';
import type { KeyRange } from './key-ranges.js';

export const ACCESS_TYPES = ['read', 'write', 'readwrite'] as const;
export type AccessType = (typeof ACCESS_TYPES)[number];

export interface RolePermission extends KeyRange {
  readonly type: AccessType;
}

export type AuthCommand =
  | { readonly kind: 'enable' }
  | { readonly kind: 'disable' }
  /** The password was found good against the state of that revision. */
  | { readonly kind: 'authenticate'; readonly user: string; readonly revision: number; readonly token: string }
  /** Without a hash: no password is good. */
  | { readonly kind: 'user-add'; readonly user: string; readonly hash: string | undefined }
  | { readonly kind: 'user-delete'; readonly user: string }
  | { readonly kind: 'user-password'; readonly user: string; readonly hash: string }
  | { readonly kind: 'user-grant'; readonly user: string; readonly role: string }
  | { readonly kind: 'user-revoke'; readonly user: string; readonly role: string }
  | { readonly kind: 'role-add'; readonly role: string }
  | { readonly kind: 'role-delete'; readonly role: string }
  | { readonly kind: 'role-grant'; readonly role: string; readonly permission: RolePermission }
  | { readonly kind: 'role-revoke'; readonly role: string; readonly range: KeyRange };

/** What a change answers: the state's revision afterwards, and the entry that made it. */
export interface AuthResponse {
  readonly revision: number;
  readonly index: LogIndex;
}

/** Their place is their number in the log: new ones go to the end. */
const KINDS: readonly AuthCommand['kind'][] = [
  'enable', 'disable', 'authenticate', 'user-add', 'user-delete', 'user-password', 'user-grant', 'user-revoke', 'role-add', 'role-delete',
  'role-grant', 'role-revoke',
];

export function writeAuthCommand(out: ByteWriter, command: AuthCommand): void {
  out.u8(KINDS.indexOf(command.kind));
  switch (command.kind) {
    case 'enable':
    case 'disable': return;
    case 'authenticate': return void out.text(command.user).varint(command.revision).text(command.token);
    case 'user-add': return void out.text(command.user).u8(command.hash === undefined ? 0 : 1).text(command.hash ?? '');
    case 'user-delete': return void out.text(command.user);
    case 'user-password': return void out.text(command.user).text(command.hash);
    case 'user-grant':
    case 'user-revoke': return void out.text(command.user).text(command.role);
    case 'role-add':
    case 'role-delete': return void out.text(command.role);
    case 'role-grant': return writePermission(out.text(command.role), command.permission);
    case 'role-revoke': return void out.text(command.role).bytes(command.range.key).bytes(command.range.rangeEnd);
    default: return unreachable(command);
  }
}

/** Throws CodecError. */
export function readAuthCommand(input: ByteReader): AuthCommand {
  const number = input.u8();
  const kind = KINDS[number];
  switch (kind) {
    case undefined: throw new CodecError(`an auth command of unknown kind ${number}`);
    case 'enable':
    case 'disable': return { kind };
    case 'authenticate': return { kind, user: input.text(), revision: input.varint(), token: input.text() };
    case 'user-add': {
      const user = input.text();
      const has = input.u8() !== 0;
      const hash = input.text();
      return { kind, user, hash: has ? hash : undefined };
    }
    case 'user-delete': return { kind, user: input.text() };
    case 'user-password': return { kind, user: input.text(), hash: input.text() };
    case 'user-grant':
    case 'user-revoke': return { kind, user: input.text(), role: input.text() };
    case 'role-add':
    case 'role-delete': return { kind, role: input.text() };
    case 'role-grant': return { kind, role: input.text(), permission: readPermission(input) };
    case 'role-revoke': return { kind, role: input.text(), range: { key: copyOf(input), rangeEnd: copyOf(input) } };
    default: return unreachable(kind);
  }
}

export function writePermission(out: ByteWriter, { type, key, rangeEnd }: RolePermission): void {
  out.u8(ACCESS_TYPES.indexOf(type)).bytes(key).bytes(rangeEnd);
}

/** Throws CodecError. */
export function readPermission(input: ByteReader): RolePermission {
  const number = input.u8();
  const type = ACCESS_TYPES[number];
  if (type === undefined) throw new CodecError(`a permission of unknown kind ${number}`);
  return { type, key: copyOf(input), rangeEnd: copyOf(input) };
}

/** It is kept: the entry it stands in is not to be held by it. */
function copyOf(input: ByteReader): Uint8Array {
  return input.bytes().slice();
}
