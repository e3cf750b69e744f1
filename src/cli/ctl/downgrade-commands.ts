/**
 * downgrade validate, enable, cancel: output of etcdctl; and status, which says member by member
 * whether it may be started with the older program. Enable goes on to show that until all may.
 */

import { ClientError, type DowngradeAction, type MemberStatus } from '../../client/client.js';
import { Failed, UsageFault, type Context } from './context.js';
import type { Register } from './register.js';

interface EnableFlags {
  readonly wait: boolean;
}

const PAUSE_MS = 500;
const TRY = '  try:   kintsugi ctl downgrade status';

function versionOf(args: readonly string[], command: string): string {
  const [version] = args;
  if (version === undefined) throw new UsageFault('no TARGET_VERSION is given: a version of the cluster, such as 1');
  if (args.length > 1) throw new UsageFault(`downgrade ${command} takes one argument, TARGET_VERSION`);
  return version;
}

async function asked(context: Context, action: DowngradeAction, version: string): Promise<void> {
  try {
    const cluster = await context.client.downgrade(action, version);
    context.line(`Downgrade ${action.toLowerCase()} success, cluster version ${cluster}`);
  } catch (error) {
    if (error instanceof ClientError && /downgrade job in progress/.test(error.details)) throw new Failed(`${error.details}\n${TRY}`);
    throw error;
  }
}

interface Answer {
  readonly endpoint: string;
  readonly status?: MemberStatus;
  readonly why: string;
}

async function answersOf(context: Context): Promise<Answer[]> {
  return Promise.all((await context.targets(true)).map(async (endpoint) => {
    try {
      return { endpoint, status: await context.client.status({ endpoint }), why: '' };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return { endpoint, why: error.details };
    }
  }));
}

function isReady({ status }: Answer): boolean {
  return status !== undefined && status.downgradeTarget !== '' && status.storageVersion === status.downgradeTarget;
}

/** It does not tell the version of its files. */
function isOlder({ status }: Answer): boolean {
  return status?.storageVersion === '';
}

function lineOf(answer: Answer): string {
  const { endpoint, status, why } = answer;
  if (status === undefined) return `${endpoint}: does not answer: ${why}`;
  const id = status.header.memberId.toString(16);
  const target = status.downgradeTarget;
  if (isOlder(answer)) return `${endpoint}, ${id}: runs an older program`;
  if (target === '') return `${endpoint}, ${id}: files of version ${status.storageVersion}, no downgrade is under way`;
  return isReady(answer)
    ? `${endpoint}, ${id}: may be started with a program of version ${target}`
    : `${endpoint}, ${id}: files of version ${status.storageVersion}, not yet to be started with a program of version ${target}`;
}

async function status(context: Context, args: readonly string[]): Promise<void> {
  if (args.length > 0) throw new UsageFault('downgrade status takes no arguments');
  for (const answer of await answersOf(context)) context.line(lineOf(answer));
}

async function enable(context: Context, args: readonly string[], flags: EnableFlags): Promise<void> {
  await asked(context, 'ENABLE', versionOf(args, 'enable'));
  if (!flags.wait) return;
  const said = new Map<string, string>();
  for (;;) {
    const answers = await answersOf(context);
    for (const answer of answers) {
      const line = lineOf(answer);
      if (said.get(answer.endpoint) !== line) context.line(line);
      said.set(answer.endpoint, line);
    }
    if (answers.some((answer) => answer.status?.downgradeTarget === '' && !isOlder(answer))) throw new Failed('the downgrade was taken back');
    if (answers.every((answer) => isReady(answer) || isOlder(answer))) break;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  context.line('All members may be started with the older program, one after the other');
}

export function addDowngradeCommands(register: Register): void {
  const downgrade = register.group('downgrade', 'the way back to an older program', `
  kintsugi ctl downgrade validate 1
  kintsugi ctl downgrade enable 1`);
  downgrade.command('validate', 'TARGET_VERSION', 'whether there is a way back to a version of the cluster', (context, args) =>
    asked(context, 'VALIDATE', versionOf(args, 'validate')), `
  kintsugi ctl downgrade validate 1`);
  downgrade.command<EnableFlags>('enable', 'TARGET_VERSION', 'prepare all members, and wait until they may be started with the older program', enable, `
  kintsugi ctl downgrade enable 1
  kintsugi ctl downgrade enable 1 --no-wait`).option('--no-wait', 'return at once: see downgrade status');
  downgrade.command('cancel', '', 'take it back: the version of the cluster is raised again', (context, args) => {
    if (args.length > 1) throw new UsageFault('downgrade cancel takes no arguments');
    return asked(context, 'CANCEL', args[0] ?? '');
  }, `
  kintsugi ctl downgrade cancel`);
  downgrade.command('status', '', 'member by member: whether it may be started with the older program', status, `
  kintsugi ctl downgrade status`);
}
