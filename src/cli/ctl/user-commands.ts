/** user add, delete, get, list, passwd, grant-role, revoke-role: flags and output of etcdctl. */

import { Failed, UsageFault, type Context } from './context.js';
import { newPassword } from './passwords.js';
import { showDone, showRole, showUser, showUsers } from './print-auth.js';
import type { Register } from './register.js';

interface PasswordFlags {
  readonly interactive: boolean;
}

interface AddFlags extends PasswordFlags {
  /** False: --no-password. */
  readonly password: boolean;
  readonly newUserPassword?: string;
}

interface GetFlags {
  readonly detail?: boolean;
}

function takes(context: Context, args: readonly string[], command: string, ...names: readonly string[]): readonly string[] {
  context.refuseTable();
  if (args.length !== names.length) throw new UsageFault(`user ${command} command requires ${names.join(' and ')} as its argument${names.length > 1 ? 's' : ''}`);
  return args;
}

async function add(context: Context, args: readonly string[], flags: AddFlags): Promise<void> {
  const [given = ''] = takes(context, args, 'add', 'user name');
  const { io, client } = context;
  const at = given.indexOf(':');
  // A name may have a colon where the password stands elsewhere.
  const isPair = flags.password && flags.newUserPassword === undefined && at >= 0;
  const name = isPair ? given.slice(0, at) : given;
  if (name === '') throw new UsageFault('empty user name is not allowed');
  if (!flags.password && flags.newUserPassword !== undefined) throw new UsageFault('--no-password and --new-user-password exclude each other');
  const password = async (): Promise<string> =>
    flags.newUserPassword ?? (isPair ? given.slice(at + 1) : newPassword(io, name, flags.interactive));
  showDone(context, await client.auth.userAdd(name, flags.password ? { password: await password() } : {}), `User ${name} created`);
}

async function remove(context: Context, args: readonly string[]): Promise<void> {
  const [name = ''] = takes(context, args, 'delete', 'user name');
  showDone(context, await context.client.auth.userDelete(name), `User ${name} deleted`);
}

async function get(context: Context, args: readonly string[], flags: GetFlags): Promise<void> {
  const [name = ''] = takes(context, args, 'get', 'user name');
  const { auth } = context.client;
  const answer = await auth.userGet(name);
  if (flags.detail !== true) return showUser(context, name, answer);
  if (context.format !== 'simple') throw new Failed('--detail is only for `--write-out=simple`');
  context.line(`User: ${name}`);
  for (const role of answer.roles) {
    context.line('');
    showRole(context, role, await auth.roleGet(role));
  }
}

async function list(context: Context, args: readonly string[]): Promise<void> {
  context.refuseTable();
  if (args.length > 0) throw new UsageFault('user list command requires no arguments');
  showUsers(context, await context.client.auth.userList());
}

async function passwd(context: Context, args: readonly string[], { interactive }: PasswordFlags): Promise<void> {
  const [name = ''] = takes(context, args, 'passwd', 'user name');
  const password = await newPassword(context.io, name, interactive);
  showDone(context, await context.client.auth.userChangePassword(name, password), 'Password updated');
}

async function grantRole(context: Context, args: readonly string[]): Promise<void> {
  const [name = '', role = ''] = takes(context, args, 'grant-role', 'user name', 'role name');
  showDone(context, await context.client.auth.userGrantRole(name, role), `Role ${role} is granted to user ${name}`);
}

async function revokeRole(context: Context, args: readonly string[]): Promise<void> {
  const [name = '', role = ''] = takes(context, args, 'revoke-role', 'user name', 'role name');
  showDone(context, await context.client.auth.userRevokeRole(name, role), `Role ${role} is revoked from user ${name}`);
}

export function addUserCommands(register: Register): void {
  const user = register.group('user', 'who may call', `
  kintsugi ctl user add web
  kintsugi ctl user grant-role web app
  kintsugi ctl --user root user list`);
  const ask = ['--no-interactive', 'read the password from standard input (--interactive=false)'] as const;
  user.command('add', '[name]', 'add a user; its password is asked for', add, `
  kintsugi ctl user add web
  kintsugi ctl user add web --interactive=false < password.txt
  kintsugi ctl user add web.example --no-password      is known by its certificate alone`)
    .option(...ask).option('--no-password', 'nobody logs in by a password')
    .option('--new-user-password <password>', 'the password; whoever sees the processes of the machine sees it');
  user.command('delete', '[name]', 'delete a user', remove, `
  kintsugi ctl user delete web`);
  user.command('get', '[name]', 'the roles of a user', get, `
  kintsugi ctl user get web
  kintsugi ctl user get web --detail                   and what each role may`).option('--detail', 'also what each role may');
  user.command('list', '', 'all users', list, `
  kintsugi ctl user list`);
  user.command('passwd', '[name]', 'another password, which is asked for; the tokens of before are good no more', passwd, `
  kintsugi ctl user passwd web
  kintsugi ctl user passwd web --interactive=false < password.txt`).option(...ask);
  user.command('grant-role', '[name] [role]', 'a user may what the role may', grantRole, `
  kintsugi ctl user grant-role web app`);
  user.command('revoke-role', '[name] [role]', 'it may no more', revokeRole, `
  kintsugi ctl user revoke-role web app`);
}
