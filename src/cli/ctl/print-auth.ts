/** Answers of auth, user and role in etcdctl's formats: `simple`, `json` and `fields`. */

import { equalBytes, prefixEnd, utf8 } from '../../base/bytes.js';
import type { AuthAnswer, AuthStatus, Permission, RoleNames, RolePermissions, UserNames } from '../../client/client.js';
import { goJson, goQuote, nonZero, type GoValue } from '../render/go.js';
import { bytesOfRaw, rawText } from '../render/raw-text.js';
import type { Context } from './context.js';
import { headerFields, jsonHeader } from './print-kv.js';

const OPEN_END = Uint8Array.of(0);
/** By their numbers in etcd's messages. */
const TYPES = ['read', 'write', 'readwrite'] as const;

interface Shown {
  readonly simple: string;
  /** Besides the header. */
  readonly json?: { readonly [name: string]: GoValue | undefined };
  readonly fields?: string;
}

function show({ io, format }: Context, { header }: AuthAnswer, { simple, json = {}, fields = '' }: Shown): void {
  if (format === 'json') io.out(`${goJson({ header: jsonHeader(header), ...json })}\n`);
  else if (format === 'fields') io.out(`${headerFields(header)}${fields}`);
  else io.out(bytesOfRaw(simple));
}

/** A change whose answer says nothing but that it was made. */
export function showDone(context: Context, answer: AuthAnswer, line: string): void {
  show(context, answer, { simple: `${line}\n` });
}

export function showStatus(context: Context, answer: AuthStatus): void {
  const { enabled, revision } = answer;
  show(context, answer, {
    simple: `Authentication Status: ${enabled}\nAuthRevision: ${revision}\n`,
    json: { enabled: nonZero(enabled), authRevision: nonZero(revision) },
    fields: `"Enabled" : ${enabled}\n"AuthRevision" : ${revision}\n`,
  });
}

const lines = (names: readonly string[]): string => names.map((name) => `${name}\n`).join('');
const quoted = (names: readonly string[]): string => names.map((name) => ` ${goQuote(utf8(name))}`).join('');

export function showUsers(context: Context, answer: UserNames): void {
  const { users } = answer;
  show(context, answer, { simple: lines(users), json: { users: nonZero(users) }, fields: `"Users" :${quoted(users)}\n` });
}

export function showRoles(context: Context, answer: RoleNames): void {
  const { roles } = answer;
  show(context, answer, { simple: lines(roles), json: { roles: nonZero(roles) }, fields: `"Roles" :${quoted(roles)}\n` });
}

export function showUser(context: Context, name: string, answer: RoleNames): void {
  const { roles } = answer;
  const simple = `User: ${name}\nRoles:${roles.map((role) => ` ${role}`).join('')}\n`;
  show(context, answer, { simple, json: { roles: nonZero(roles) }, fields: `"Roles" :${quoted(roles)}\n` });
}

/** As etcd shows a range; one without an end as it stands there, half a bracket. */
export function rangeText(key: Uint8Array, rangeEnd: Uint8Array): string {
  const from = rawText(Buffer.from(key));
  return equalBytes(rangeEnd, OPEN_END) ? `[${from}, <open ended>` : `[${from}, ${rawText(Buffer.from(rangeEnd))})`;
}

function permissionText({ key, rangeEnd }: Permission): string {
  if (rangeEnd.length === 0) return `\t${rawText(Buffer.from(key))}\n`;
  const isPrefix = key.length > 0 && equalBytes(prefixEnd(key) ?? OPEN_END, rangeEnd);
  return `\t${rangeText(key, rangeEnd)}${isPrefix ? ` (prefix ${rawText(Buffer.from(key))})` : ''}\n`;
}

export function showRole(context: Context, name: string, answer: RolePermissions): void {
  const { permissions } = answer;
  const without = (type: Permission['type']): string => permissions.filter((each) => each.type !== type).map(permissionText).join('');
  const json = permissions.map(({ type, key, rangeEnd }) =>
    ({ permType: nonZero(TYPES.indexOf(type)), key: nonZero(key), range_end: nonZero(rangeEnd) }));
  show(context, answer, {
    simple: `Role ${name}\nKV Read:\n${without('write')}KV Write:\n${without('read')}`,
    json: { perm: nonZero(json) },
    fields: permissions.map(({ type, key, rangeEnd }) =>
      `"PermType" :  ${type.toUpperCase()}\n"Key" : ${goQuote(key)}\n"RangeEnd" : ${goQuote(rangeEnd)}\n`).join(''),
  });
}
