/**
 * watch: flags, arguments and output of etcdctl 3.4, and its environment for a command that is run
 * for each event. Events are taken one after the other: a command that is slow loses none, they
 * wait in the store.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from 'commander';
import { Deferred } from '../../base/deferred.js';
import { messageOf } from '../../base/errors.js';
import type { KeyRange, Watch, WatchBatch, WatchEvent } from '../../client/client.js';
import { goJson, goQuote, type GoValue } from '../render/go.js';
import { bytesOfRaw, rawText } from '../render/raw-text.js';
import { Failed, UsageFault, type Context } from './context.js';
import { keyRange, wholeFlag } from './kv-commands.js';
import { headerFields, jsonHeader, jsonKv, kvFields, printPairs } from './print-kv.js';
import type { Register } from './register.js';
import { parsed, withMark, wordsOf } from './words.js';

/** What a line of an interactive watch is. */
const WATCH = 'watch request';

interface WatchFlags {
  readonly interactive?: boolean;
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
  readonly rev: string;
  readonly prevKv?: boolean;
  readonly progressNotify?: boolean;
}

/** What one line, or the command line, asks for. */
interface Wanted {
  readonly watch: Watch;
  readonly command: readonly string[];
}

/** The first key and range end that the environment names, if the command line names none. */
function fromEnv(context: Context): string[] {
  const { env } = context.io;
  const of = (name: string): string => env[`KINTSUGI_WATCH_${name}`] ?? env[`ETCDCTL_WATCH_${name}`] ?? '';
  return [of('KEY'), of('RANGE_END')].filter((text) => text !== '');
}

function wantedOf(context: Context, given: readonly string[], flags: WatchFlags): Wanted {
  const at = given.indexOf('--');
  const args = at < 0 ? given : given.slice(0, at);
  const command = at < 0 ? [] : given.slice(at + 1).map((word) => Buffer.from(bytesOfRaw(word)).toString());
  if (at >= 0 && command.length === 0) throw new UsageFault('-- is followed by a command that is run for each event');
  const range: KeyRange = keyRange(args.length === 0 ? fromEnv(context) : args, flags, 'watch');
  const startRevision = wholeFlag(flags.rev, '--rev');
  if (startRevision < 0) throw new UsageFault(`--rev is a revision, or 0 for what comes from now on, got ${startRevision}`);
  const { prevKv = false, progressNotify = false } = flags;
  return { watch: context.client.watch(range, { startRevision, prevKv, progressNotify }), command };
}

/** Until the cluster ends it: then it rejects with why. */
async function follow(context: Context, { watch, command }: Wanted): Promise<void> {
  let begun = false;
  for await (const batch of watch) {
    if (batch.events.length > 0) {
      print(context, batch);
      for (const event of batch.events) if (command.length > 0) await execute(context, command, event, batch.revision);
    } else if (begun && !batch.more) context.line(`progress notify: ${batch.revision}`);
    begun = true;
  }
}

function print(context: Context, batch: WatchBatch): void {
  const { format, io } = context;
  if (format === 'json') return io.out(`${goJson(jsonOf(batch))}\n`);
  if (format === 'fields') return io.out(fieldsOf(batch));
  for (const event of batch.events) {
    const kvs = event.prevKv === undefined ? [event.kv] : [event.prevKv, event.kv];
    printPairs(context, typeOf(event), kvs);
  }
}

function typeOf({ type }: WatchEvent): string {
  return type === 'put' ? 'PUT' : 'DELETE';
}

function jsonOf({ header, events }: WatchBatch): GoValue {
  return {
    Header: jsonHeader(header),
    Events: events.map(({ type, kv, prevKv }) => ({
      type: type === 'put' ? undefined : 1, kv: jsonKv(kv), prev_kv: prevKv === undefined ? undefined : jsonKv(prevKv),
    })),
    CompactRevision: 0,
    Canceled: false,
    Created: false,
  };
}

function fieldsOf({ header, events }: WatchBatch): string {
  const one = (event: WatchEvent): string =>
    `"Type" : ${typeOf(event)}\n${event.prevKv === undefined ? '' : kvFields(event.prevKv, 'Prev')}${kvFields(event.kv, '')}`;
  return headerFields(header) + events.map(one).join('');
}

/** Bytes as etcdctl has them in the environment: quoted, as Go writes it. */
async function execute({ io }: Context, [name = '', ...args]: readonly string[], event: WatchEvent, revision: number): Promise<void> {
  const env = {
    ...io.env,
    ETCD_WATCH_REVISION: String(revision),
    ETCD_WATCH_EVENT_TYPE: JSON.stringify(typeOf(event)),
    ETCD_WATCH_KEY: goQuote(event.kv.key),
    ETCD_WATCH_VALUE: goQuote(event.kv.value),
  };
  const child = spawn(name, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (bytes: Buffer) => io.out(bytes));
  child.stderr.on('data', (bytes: Buffer) => io.err(bytes.toString()));
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (code !== 0) throw new Failed(`command ${JSON.stringify([name, ...args])} ended with ${signal ?? `exit code ${code}`}`);
  } catch (error) {
    if (error instanceof Failed) throw error;
    throw new Failed(`command ${JSON.stringify([name, ...args])} could not be run: ${messageOf(error)}`);
  }
}

/** `watch` and `progress`, line by line, until the first watch ends, or standard input does. */
class Interactive {
  readonly #context: Context;
  readonly #watches: Watch[] = [];
  readonly #ended = new Deferred();

  constructor(context: Context) {
    this.#context = context;
  }

  async run(): Promise<void> {
    // Nobody waits for it any more when standard input was first.
    this.#ended.promise.catch(() => undefined);
    await Promise.race([this.#read(), this.#ended.promise]);
  }

  async #read(): Promise<never> {
    for await (const bytes of this.#context.io.lines?.() ?? []) this.#line(rawText(bytes));
    throw new Failed('standard input has ended, and with it the watches');
  }

  #line(line: string): void {
    try {
      const [word, ...words] = wordsOf(line, WATCH);
      if (word === 'progress') return this.#watches.forEach((watch) => watch.requestProgress());
      if (word !== 'watch') throw new UsageFault(`invalid ${WATCH}: ${line} (watch and progress supported)`);
      const { args, flags } = parsed<WatchFlags>(addWatchFlags, withMark(words), line, WATCH);
      const wanted = wantedOf(this.#context, args, flags);
      this.#watches.push(wanted.watch);
      follow(this.#context, wanted).catch((error: unknown) => this.#ended.reject(error));
    } catch (error) {
      if (!(error instanceof UsageFault)) throw error;
      this.#context.io.err(`Error: ${error.message}\n`);
    }
  }
}

function addWatchFlags(command: Command): Command {
  return command
    .option('--prefix', 'keys that begin with KEY')
    .option('--from-key', 'KEY and all after it')
    .option('--rev <revision>', 'all changes from this revision on; 0: from now on', '0')
    .option('--prev-kv', 'also print what the key was before')
    .option('--progress-notify', 'print from time to time how far a quiet watch is');
}

async function watch(context: Context, args: readonly string[], flags: WatchFlags): Promise<void> {
  context.refuseTable();
  if (flags.interactive === true) return new Interactive(context).run();
  return follow(context, wantedOf(context, args, flags));
}

export function addWatchCommand(register: Register): void {
  const command = register.marked('watch', '[key] [range_end] [-- command]', 'print changes as they are made, until interrupted', watch, `
  kintsugi ctl watch greeting
  kintsugi ctl watch user/ --prefix --prev-kv      also prints what was there before
  kintsugi ctl watch user/ --prefix --rev 1200     all changes from revision 1200 on, then what comes
  kintsugi ctl watch config -- sh -c 'echo "$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY at $ETCD_WATCH_REVISION"'
  kintsugi ctl watch -i                            then lines such as: watch user/ --prefix, or: progress

The command is run for each event, one after the other, with ETCD_WATCH_REVISION,
ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and ETCD_WATCH_VALUE (quoted). A watch outlives the member
that it asks: with all members in --endpoints it goes on at another one, and misses nothing.`);
  addWatchFlags(command).option('-i, --interactive', 'take watches from standard input, line by line');
}
