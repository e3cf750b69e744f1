/**
 * lock and elect: output, environment and exit codes of etcdctl. Both hold what they got until the
 * command is interrupted, and give it up then.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { messageOf } from '../../base/errors.js';
import { bytesOfRaw } from '../render/raw-text.js';
import { Exited, Failed, UsageFault, type Context } from './context.js';
import { printKv } from './print-kv.js';
import { wholeFlag } from './kv-commands.js';
import type { Register } from './register.js';

interface LockFlags {
  readonly ttl: string;
}

interface ElectFlags {
  readonly listen?: boolean;
}

/** Of etcdctl's session. */
const ELECT_TTL = 60;

/** Prints the key; throws if it is gone already. */
async function printKey(context: Context, key: Uint8Array): Promise<void> {
  const response = await context.client.getRange(key);
  if (response.kvs.length === 0) throw new Failed('lock lost on init');
  printKv(context, { kind: 'range', response });
}

/** Resolves when the command is interrupted; rejects when what it holds is lost. */
function interruptedOr(interrupted: AbortSignal, lost: AbortSignal, message: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Failed(`${message}: ${messageOf(lost.reason)}`));
    if (interrupted.aborted) resolve();
    else if (lost.aborted) fail();
    interrupted.addEventListener('abort', () => resolve(), { once: true });
    lost.addEventListener('abort', fail, { once: true });
  });
}

async function lock(context: Context, args: readonly string[], flags: LockFlags): Promise<void> {
  context.refuseTable();
  const [name, ...command] = args.map(bytesOfRaw);
  if (name === undefined) throw new UsageFault('lock takes a lock name argument and an optional command to execute');
  const ttl = wholeFlag(flags.ttl, '--ttl');
  if (ttl <= 0) throw new UsageFault(`--ttl is a number of seconds above 0, got ${ttl}`);
  const { interrupted } = context;
  await using held = await context.client.lock(name, { ttl, signal: interrupted });
  if (command.length > 0) {
    const code = await execute(context, command.map((word) => Buffer.from(word).toString()), held.key, held.revision);
    await held.unlock();
    if (code !== 0) throw new Exited(code);
    return;
  }
  await printKey(context, held.key);
  await interruptedOr(interrupted, held.lost, 'session expired');
  await held.unlock();
}

/** Gives its exit code. A signal to the command line reaches it by itself, and it decides. */
async function execute({ io }: Context, [name = '', ...args]: readonly string[], key: Uint8Array, revision: number): Promise<number> {
  const env = { ...io.env, ETCD_LOCK_KEY: Buffer.from(key).toString(), ETCD_LOCK_REV: String(revision) };
  const child = spawn(name, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (bytes: Buffer) => io.out(bytes));
  child.stderr.on('data', (bytes: Buffer) => io.err(bytes.toString()));
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (code === null) throw new Failed(`command ${JSON.stringify([name, ...args])} ended with ${signal}`);
    return code;
  } catch (error) {
    if (error instanceof Failed) throw error;
    throw new Failed(`command ${JSON.stringify([name, ...args])} could not be run: ${messageOf(error)}`);
  }
}

async function elect(context: Context, args: readonly string[], flags: ElectFlags): Promise<void> {
  context.refuseTable();
  const [name, proposal, ...rest] = args.map(bytesOfRaw);
  if (name === undefined || rest.length > 0) throw new UsageFault('elect takes one election name argument and an optional proposal argument');
  const listen = flags.listen === true;
  if (proposal === undefined && !listen) throw new UsageFault('no proposal argument but -l not set');
  if (proposal !== undefined && listen) throw new UsageFault('proposal given but -l is set');
  const { interrupted } = context;
  const election = context.client.election(name);
  if (proposal === undefined) {
    try {
      for await (const kv of election.observe({ signal: interrupted })) {
        printKv(context, { kind: 'range', response: { revision: kv.modRevision, kvs: [kv], more: false, count: 1 } });
      }
    } catch (error) {
      if (!interrupted.aborted) throw error;
    }
    return;
  }
  await using leadership = await election.campaign(proposal, { ttl: ELECT_TTL, signal: interrupted });
  await printKey(context, leadership.key);
  await interruptedOr(interrupted, leadership.lost, 'elect: session expired');
  await leadership.resign();
}

export function addLockCommands(register: Register): void {
  register.command('lock', '<name> [command [args...]]', 'hold a lock, until interrupted or for as long as a command runs', lock, `
  kintsugi ctl lock nightly                       prints its key once it is held; ^C gives it up
  kintsugi ctl lock nightly ./backup.sh           runs the command while it is held, and ends with its exit code
  kintsugi ctl lock nightly --ttl 30 -- ./backup.sh

The command has ETCD_LOCK_KEY and ETCD_LOCK_REV in its environment.`)
    .option('--ttl <seconds>', 'how long it stays held if this process dies', '10');
  register.command('elect', '<name> [proposal]', 'stand for an election, or see who leads', elect, `
  kintsugi ctl elect primary 10.0.0.1     prints its key once it leads; ^C resigns
  kintsugi ctl elect --listen primary     prints each leader, until interrupted`)
    .option('-l, --listen', 'only observe');
}
