/**
 * `kintsugi ctl`: the operator's side of a running cluster, in etcdctl's spelling, so that its
 * scripts and habits work. Exit codes: 0 done, 1 failed, 2 wrong usage.
 */

import { Command, CommanderError, Option } from 'commander';
import { DiskError } from '../../base/errors.js';
import { BackupError } from '../../replica/backup/errors.js';
import { ClientError } from '../../client/client.js';
import { Exited, explain, Failed, UsageFault, type Io } from './context.js';
import { addAlarmCommands } from './alarm-commands.js';
import { addAuthCommands } from './auth-commands.js';
import { addDowngradeCommands } from './downgrade-commands.js';
import { addEndpointCommands } from './endpoint-commands.js';
import { addHealCommands } from './heal-commands.js';
import { addKvCommands } from './kv-commands.js';
import { addLeaseCommands } from './lease-commands.js';
import { addLockCommands } from './lock-commands.js';
import { addMemberCommands } from './member-commands.js';
import { rawArguments } from '../render/raw-text.js';
import { processIo } from './process-io.js';
import { Register } from './register.js';
import { addRoleCommands } from './role-commands.js';
import { addSnapshotCommands } from './snapshot-commands.js';
import { addStatusCommand } from './status-command.js';
import { addTxnCommand } from './txn-command.js';
import { addUserCommands } from './user-commands.js';
import { addWatchCommand } from './watch-command.js';
import { withMark } from './words.js';

/** Flags of etcdctl that mean nothing here. */
const IGNORED = ['--debug', '--insecure-transport', '--insecure-discovery', '--keepalive-time <d>', '--keepalive-timeout <d>'];
/** Flags whose promise cannot be kept. */
const REFUSED = ['--discovery-srv <domain>', '--discovery-srv-name <name>'];

function globalFlags(program: Command): void {
  program
    .option('--endpoints <list>', 'host:port of members, with commas between (env KINTSUGI_ENDPOINTS, ETCDCTL_ENDPOINTS; default 127.0.0.1:2379)')
    .option('-w, --write-out <format>', 'simple, json, table or fields (default simple)')
    .option('--hex', 'print bytes as \\x68\\x65\\x78')
    .option('--command-timeout <duration>', 'for the whole command, such as 500ms (default 5s)')
    .option('--dial-timeout <duration>', 'for a connection (default 2s)')
    .option('--cacert <file>', 'authorities of the members\' certificates: https:// without a word (PEM)')
    .option('--cert <file>', 'certificate to show, where members ask for one')
    .option('--key <file>', 'key of that certificate')
    .option('--insecure-skip-tls-verify', 'take any certificate of a member')
    .option('--user <name[:password]>', 'who you are, where auth is on; a password that is missing is asked for (env KINTSUGI_USER, ETCDCTL_USER)')
    .option('--password <password>', 'of that user (env KINTSUGI_PASSWORD, ETCDCTL_PASSWORD)');
  for (const flags of IGNORED) program.addOption(new Option(flags).hideHelp());
  for (const flags of REFUSED) {
    const option = new Option(flags).hideHelp().argParser(() => {
      throw new UsageFault(`${flags.split(' ')[0]} is not served: name the members in --endpoints`);
    });
    program.addOption(option);
  }
}

const BOOLEAN = /^--(prefix|from-key|keys-only|stream|count-only|print-value-only|prev-kv|progress-notify|ignore-value|ignore-lease|learner|detail|no-password|interactive|hex|cluster|physical|keys|once|listen|debug|insecure-transport|insecure-skip-tls-verify|insecure-discovery)=(true|false|1|0)$/;

/** Go's flags may be written `--prefix=true` and `-w=json`. */
function goFlags(args: readonly string[]): string[] {
  const out: string[] = [];
  let rest = false;
  for (const arg of args) {
    const boolean = rest ? null : BOOLEAN.exec(arg);
    rest ||= arg === '--';
    if (boolean !== null) {
      const isOn = boolean[2] === 'true' || boolean[2] === '1';
      if (boolean[1] === 'interactive') out.push(...(isOn ? [] : ['--no-interactive']));
      else if (isOn) out.push(`--${boolean[1]}`);
    } else if (!rest && arg.startsWith('-w=')) {
      out.push('-w', arg.slice(3));
    } else {
      out.push(arg);
    }
  }
  return out;
}

function quiet(command: Command, io: Io): void {
  command.exitOverride().configureOutput({ writeOut: (text) => io.out(text), writeErr: () => undefined }).showSuggestionAfterError(true);
  for (const sub of command.commands) quiet(sub, io);
}

function build(io: Io): Command {
  const program = new Command('kintsugi ctl').description('talk to a running cluster; commands, flags and output are those of etcdctl 3.4');
  globalFlags(program);
  program.addHelpText('after', `
Examples:
  kintsugi ctl put greeting hello
  kintsugi ctl get user/ --prefix -w json
  kintsugi ctl --endpoints=127.0.0.1:2379,127.0.0.1:22379 endpoint status -w table
  kintsugi ctl --user web get /app/ --prefix
  kintsugi ctl status                     is the cluster well, and what to do if not
  kintsugi ctl scrub --cluster            read every block of every member, heal what is rotten

Exit codes: 0 done, 1 failed, 2 wrong usage. Each command has --help.`);
  const register = new Register(io, program);
  addKvCommands(register);
  addTxnCommand(register);
  addLeaseCommands(register);
  addWatchCommand(register);
  addLockCommands(register);
  addEndpointCommands(register);
  addMemberCommands(register);
  addAlarmCommands(register);
  addDowngradeCommands(register);
  addAuthCommands(register);
  addUserCommands(register);
  addRoleCommands(register);
  addHealCommands(register);
  addSnapshotCommands(register);
  addStatusCommand(register);
  quiet(program, io);
  return program;
}

/** Runs one command; resolves to its exit code. */
export async function ctl(args: readonly string[], io: Io = processIo()): Promise<number> {
  const code = await run(rawArguments(args), io);
  io.done?.(code);
  return code;
}

async function run(args: readonly string[], io: Io): Promise<number> {
  const program = build(io);
  try {
    if (args.length === 0) throw new UsageFault('no command is given; see kintsugi ctl --help');
    await program.parseAsync(withMark(goFlags(args)), { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (error.code === 'commander.help') io.err('Error: a command is missing; see kintsugi ctl --help\n');
      else io.err(`${error.message.replace(/^error:/, 'Error:')}\nSee kintsugi ctl --help\n`);
      return 2;
    }
    if (error instanceof UsageFault) {
      io.err(`Error: ${error.message}\n`);
      return 2;
    }
    if (error instanceof Exited) {
      io.err(`Error: ${error.message}\n`);
      return error.exitCode;
    }
    if (error instanceof Failed) {
      if (error.message !== '') io.err(`Error: ${error.message}\n`);
      return 1;
    }
    if (error instanceof ClientError) {
      io.err(explain(error));
      return 1;
    }
    if (error instanceof BackupError || error instanceof DiskError) {
      io.err(`Error: ${error.message.slice(error.code.length + 2)}\n`);
      return 1;
    }
    throw error;
  }
}
