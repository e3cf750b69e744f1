/** auth enable, disable, status: output of etcdctl. */

import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import { ClientError } from '../../client/client.js';
import { UsageFault, type Context } from './context.js';
import { showDone, showStatus } from './print-auth.js';
import type { Register } from './register.js';

function noArguments(context: Context, args: readonly string[], command: string): void {
  context.refuseTable();
  if (args.length > 0) throw new UsageFault(`auth ${command} command does not accept any arguments`);
}

const isRefusal = (error: unknown, code: 'ROLE_ALREADY_EXIST' | 'ROOT_ROLE_NOT_EXIST'): boolean =>
  error instanceof ClientError && error.details === ETCD_MESSAGES[code];

/** As etcdctl does: a user `root` that has not the role `root` is given it first. */
async function enable(context: Context, args: readonly string[]): Promise<void> {
  noArguments(context, args, 'enable');
  const { auth } = context.client;
  try {
    showDone(context, await auth.enable(), 'Authentication Enabled');
  } catch (error) {
    if (!isRefusal(error, 'ROOT_ROLE_NOT_EXIST')) throw error;
    await auth.roleAdd('root').catch((reason: unknown) => {
      if (!isRefusal(reason, 'ROLE_ALREADY_EXIST')) throw reason;
    });
    await auth.userGrantRole('root', 'root');
    showDone(context, await auth.enable(), 'Authentication Enabled');
  }
}

async function disable(context: Context, args: readonly string[]): Promise<void> {
  noArguments(context, args, 'disable');
  showDone(context, await context.client.auth.disable(), 'Authentication Disabled');
}

async function status(context: Context, args: readonly string[]): Promise<void> {
  noArguments(context, args, 'status');
  showStatus(context, await context.client.auth.status());
}

export function addAuthCommands(register: Register): void {
  const auth = register.group('auth', 'whether every call needs a user', `
  kintsugi ctl user add root
  kintsugi ctl auth enable
  kintsugi ctl --user root auth status`);
  auth.command('enable', '', 'from now on every call needs a user; there must be one that is called root', enable, `
  kintsugi ctl user add root
  kintsugi ctl auth enable`);
  auth.command('disable', '', 'nobody is asked any more; users and roles stay', disable, `
  kintsugi ctl auth disable --user root`);
  auth.command('status', '', 'whether it is on, and the revision of users and roles', status, `
  kintsugi ctl auth status`);
}
