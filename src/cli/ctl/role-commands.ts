/**
 * role add, delete, get, list, grant-permission, revoke-permission: flags and output of etcdctl.
 */

import type { KeyRange, PermissionType } from '../../client/client.js';
import { boundsOf } from '../../client/requests.js';
import { bytesOfRaw, rawText } from '../render/raw-text.js';
import { UsageFault, type Context } from './context.js';
import { rangeText, showDone, showRole, showRoles } from './print-auth.js';
import type { Register } from './register.js';

interface RangeFlags {
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
}

const TYPES: readonly PermissionType[] = ['read', 'write', 'readwrite'];

function nameIn(context: Context, args: readonly string[], command: string): string {
  context.refuseTable();
  const [name] = args;
  if (name === undefined || args.length > 1) throw new UsageFault(`role ${command} command requires role name as its argument`);
  return name;
}

/** The empty key is none: with a flag it is all keys. */
function rangeOf(args: readonly string[], { prefix = false, fromKey = false }: RangeFlags): KeyRange {
  const [key = new Uint8Array(0), end] = args.map(bytesOfRaw);
  if (prefix && fromKey) throw new UsageFault('`--from-key` and `--prefix` cannot be set at the same time, choose one');
  if (end !== undefined && (prefix || fromKey)) throw new UsageFault(`unexpected endkey argument with --${prefix ? 'prefix' : 'from-key'} flag`);
  if (prefix) return { prefix: key };
  if (fromKey) return { from: key };
  if (key.length === 0) throw new UsageFault('the empty key does not exist; for all keys use "" --prefix');
  return end === undefined ? { key } : { key, end };
}

async function add(context: Context, args: readonly string[]): Promise<void> {
  const name = nameIn(context, args, 'add');
  showDone(context, await context.client.auth.roleAdd(name), `Role ${name} created`);
}

async function remove(context: Context, args: readonly string[]): Promise<void> {
  const name = nameIn(context, args, 'delete');
  showDone(context, await context.client.auth.roleDelete(name), `Role ${name} deleted`);
}

async function get(context: Context, args: readonly string[]): Promise<void> {
  const name = nameIn(context, args, 'get');
  showRole(context, name, await context.client.auth.roleGet(name));
}

async function list(context: Context, args: readonly string[]): Promise<void> {
  context.refuseTable();
  if (args.length > 0) throw new UsageFault('role list command requires no arguments');
  showRoles(context, await context.client.auth.roleList());
}

async function grant(context: Context, args: readonly string[], flags: RangeFlags): Promise<void> {
  context.refuseTable();
  const [name, word, ...keys] = args;
  if (name === undefined || word === undefined || keys.length < 1 || keys.length > 2) {
    throw new UsageFault('role grant-permission command requires role name, permission type, and key [endkey] as its argument');
  }
  const type = TYPES.find((each) => each === word.toLowerCase());
  if (type === undefined) throw new UsageFault(`the permission type is read, write or readwrite, got ${JSON.stringify(word)}`);
  showDone(context, await context.client.auth.roleGrantPermission(name, type, rangeOf(keys, flags)), `Role ${name} updated`);
}

async function revoke(context: Context, args: readonly string[], flags: RangeFlags): Promise<void> {
  context.refuseTable();
  const [name, ...keys] = args;
  if (name === undefined || keys.length < 1 || keys.length > 2) {
    throw new UsageFault('role revoke-permission command requires role name and key [endkey] as its argument');
  }
  const range = rangeOf(keys, flags);
  const { key, rangeEnd } = boundsOf(range);
  const what = rangeEnd.length === 0 ? `key ${rawText(Buffer.from(key))}` : `range ${rangeText(key, rangeEnd)}`;
  showDone(context, await context.client.auth.roleRevokePermission(name, range), `Permission of ${what} is revoked from role ${name}`);
}

export function addRoleCommands(register: Register): void {
  const role = register.group('role', 'what users may', `
  kintsugi ctl role add app
  kintsugi ctl role grant-permission app readwrite /app/ --prefix
  kintsugi ctl role get app`);
  role.command('add', '[role]', 'add a role, which may nothing yet', add, `
  kintsugi ctl role add app`);
  role.command('delete', '[role]', 'delete a role; whoever had it has it no more', remove, `
  kintsugi ctl role delete app`);
  role.command('get', '[role]', 'what a role may', get, `
  kintsugi ctl role get app`);
  role.command('list', '', 'all roles', list, `
  kintsugi ctl role list`);
  role.command('grant-permission', '[role] [read|write|readwrite] [key] [endkey]', 'a role may a key or a range of keys', grant, `
  kintsugi ctl role grant-permission app readwrite /app/ --prefix
  kintsugi ctl role grant-permission app read /config
  kintsugi ctl role grant-permission admin readwrite "" --prefix     all keys`)
    .option('--prefix', 'keys that begin with KEY').option('--from-key', 'KEY and all after it');
  role.command('revoke-permission', '[role] [key] [endkey]', 'it may no more: the range is one that was granted', revoke, `
  kintsugi ctl role revoke-permission app /app/ --prefix`)
    .option('--prefix', 'keys that begin with KEY').option('--from-key', 'KEY and all after it');
}
