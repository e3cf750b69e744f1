/**
 * What every script shares: flags with help, exit codes 0 (held), 1 (did not hold), 2 (usage), and
 * clean-up on every way out.
 */

import { parseArgs, type ParseArgsConfig } from 'node:util';
import { bad } from './print.js';

type Options = NonNullable<ParseArgsConfig['options']>;

export class UsageError extends Error {}

/** Something the drill demands did not hold; the message is the whole story. */
export class Failure extends Error {}

/** The command line. An unknown flag is a {@link UsageError}. */
export function flags<T extends Options>(options: T): ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>> {
  try {
    return parseArgs({ options, allowPositionals: true, strict: true });
  } catch (error) {
    // The rest of what Node says is of arguments that begin with a dash.
    throw new UsageError((error instanceof Error ? error.message : String(error)).replace(/\. To specify .*/su, ''));
  }
}

/** A whole number from a flag. */
export function whole(text: string | undefined, name: string, least = 0): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n < least) throw new UsageError(`--${name} takes a whole number from ${least}, got ${text}`);
  return n;
}

type CleanUp = () => Promise<void> | void;

const cleanUps: CleanUp[] = [];

/** Runs at the end, also after an error, Ctrl-C or SIGTERM; the latest first. */
export function onExit(cleanUp: CleanUp): void {
  cleanUps.push(cleanUp);
}

async function cleanUpAll(): Promise<void> {
  for (let next = cleanUps.pop(); next !== undefined; next = cleanUps.pop()) {
    try {
      await next();
    } catch (error) {
      console.error(bad(`while cleaning up: ${String(error)}`));
    }
  }
}

/** Runs a script's main function and exits with its code. */
export async function runMain(help: string, main: () => Promise<number>): Promise<void> {
  if (process.argv.slice(2).some((arg) => arg === '--help' || arg === '-h')) {
    console.log(help.trim());
    process.exit(0);
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void cleanUpAll().then(() => process.exit(signal === 'SIGINT' ? 130 : 143));
    });
  }
  let code: number;
  try {
    code = await main();
  } catch (error) {
    code = error instanceof UsageError ? 2 : 1;
    const plain = error instanceof UsageError || error instanceof Failure;
    console.error(bad(plain ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)));
    if (error instanceof UsageError) console.error('Try --help.');
  }
  await cleanUpAll();
  process.exit(code);
}
