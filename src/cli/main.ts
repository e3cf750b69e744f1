#!/usr/bin/env node
/**
 * The `kintsugi` command. Exit codes: 0 done, 1 failed, 2 wrong usage (and those of `sim`). Each
 * command is loaded when it is asked for, so that a server does not load the client.
 */

import { messageOf } from '../base/errors.js';
import { UsageError } from '../server/options/spec.js';

type Run = (args: readonly string[]) => Promise<number>;

interface Command {
  readonly help: string;
  readonly load: () => Promise<Run>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  start: { help: 'run one member', load: async () => (await import('./start/start.js')).start },
  ctl: {
    help: 'talk to a cluster: put get del txn compaction endpoint member move-leader snapshot heal scrub ...',
    load: async () => (await import('./ctl/ctl.js')).ctl,
  },
  inspect: {
    help: 'look into the files of a member, offline: table manifest hardstate log',
    load: async () => (await import('./inspect/inspect.js')).inspect,
  },
  snapshot: {
    help: 'look at backups, without a cluster: status verify (to take one: ctl snapshot save)',
    load: async () => (await import('./snapshot/snapshot.js')).snapshot,
  },
  restore: {
    help: 'make the data directory of a member of a new cluster out of a backup',
    load: async () => (await import('./restore/restore.js')).restoreCommand,
  },
  recover: {
    help: 're-admit a member whose hard state, log or directory is lost or an old copy, as a new one in its place',
    load: async () => (await import('./recover/recover.js')).recover,
  },
  demo: {
    help: 'three members on this machine, a gentle workload, and keys to hurt them',
    load: async () => (await import('./demo/demo.js')).demo,
  },
  sim: {
    help: 'a whole cluster under faults in virtual time, from a seed; finds bugs, tells them again, makes them small',
    load: async () => (await import('./sim/sim.js')).sim,
  },
};

/**
 * Names that error messages and documents use, and that are refused by name until they are there.
 */
const LATER: Readonly<Record<string, string>> = {
  drill: 'drills; from a clone of the repository: npm run drill:failover, drill:bitrot, drill:crash, chaos',
  bench: 'the benchmark; from a clone of the repository: npm run bench',
};

function usage(): string {
  const rows = Object.entries(COMMANDS).map(([name, { help }]) => `  ${name.padEnd(9)}${help}`);
  return [
    'Usage: kintsugi <command> [flags]', '', ...rows, '',
    'Examples:',
    '  kintsugi demo',
    '  kintsugi start --name a --data-dir ./a',
    '  kintsugi ctl put greeting hello',
    '  kintsugi ctl --endpoints 127.0.0.1:2379 get greeting', '',
    'Each command has --help.', '',
  ].join('\n');
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(usage());
    return 2;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(usage());
    return 0;
  }
  if (name === '--version' || name === 'version') {
    const { packageVersion } = await import('../server/main.js');
    process.stdout.write(`kintsugi ${packageVersion()}\n`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined && Object.hasOwn(LATER, name)) throw new UsageError(`${name} is not served yet (${LATER[name]})`);
  if (command === undefined) throw new UsageError(`unknown command ${JSON.stringify(name)}; see kintsugi --help`);
  return (await command.load())(rest);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const usageError = error instanceof UsageError;
    process.stderr.write(`kintsugi: ${messageOf(error)}\n`);
    process.exitCode = usageError ? 2 : 1;
  },
);
