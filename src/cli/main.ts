#!/usr/bin/env node
/**
 * The `kintsugi` command. Exit codes: 0 done, 1 failed, 2 wrong usage (and those of `sim`). Each
 * command is loaded when it is asked for, so that a server does not load the client.
 */

import { messageOf } from '../base/errors.js';
import { UsageError } from '../server/options/spec.js';
import { COMMANDS } from './commands.js';

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

// For its developers: gRPC names hosts that are addresses to TLS, which Node then leaves out.
process.noDeprecation = true;
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
