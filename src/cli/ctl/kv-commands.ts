/**
 * put, get, del, compaction: flags, arguments and output of etcdctl 3.4 (and `--count-only` of
 * 3.5).
 */

import type { Command } from 'commander';
import type { KeyRange } from '../../client/client.js';
import { deleteRequest, putRequest, rangeRequest } from '../../client/requests.js';
import type {
  DeleteRangeRequest, KeyValue, PutRequest, RangeRequest, RangeResponse, Reply, SortOrder, SortTarget,
} from '../../api/requests.js';
import { bytesOfRaw } from '../render/raw-text.js';
import { Failed, UsageFault, type Context } from './context.js';
import { leaseIdOf } from './lease-id.js';
import { printKv } from './print-kv.js';
import type { Register } from './register.js';

export interface GetFlags {
  readonly consistency: string;
  readonly order: string;
  readonly sortBy: string;
  readonly limit: string;
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
  readonly rev: string;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly printValueOnly?: boolean;
}

interface StreamFlag {
  readonly stream?: boolean;
}

export interface PutFlags {
  readonly lease: string;
  readonly prevKv?: boolean;
  readonly ignoreValue?: boolean;
  readonly ignoreLease?: boolean;
}

export interface DelFlags {
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
  readonly prevKv?: boolean;
}

const ORDERS: Readonly<Record<string, SortOrder>> = { '': 'none', ASCEND: 'ascend', DESCEND: 'descend' };
const TARGETS: Readonly<Record<string, SortTarget>> = {
  '': 'key', CREATE: 'create', KEY: 'key', MODIFY: 'mod', VALUE: 'value', VERSION: 'version',
};

export function wholeFlag(text: string, flag: string): number {
  const n = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(n)) throw new UsageFault(`${flag} is a whole number, got ${JSON.stringify(text)}`);
  return n;
}

export function keyRange(
  args: readonly string[], flags: { readonly prefix?: boolean; readonly fromKey?: boolean }, command: string,
): KeyRange {
  const [key, end] = args.map(bytesOfRaw);
  if (key === undefined || args.length > 2) {
    throw new UsageFault(`${command} command needs one argument as key and an optional argument as range_end`);
  }
  if (flags.prefix === true && flags.fromKey === true) throw new UsageFault('`--prefix` and `--from-key` cannot be set at the same time, choose one');
  if ((flags.prefix === true || flags.fromKey === true) && end !== undefined) {
    throw new UsageFault('too many arguments, only accept one argument when `--prefix` or `--from-key` is set');
  }
  if (flags.prefix === true) return { prefix: key };
  if (flags.fromKey === true) return { from: key };
  return end === undefined ? { key } : { key, end };
}

export function addGetFlags(command: Command): Command {
  return command
    .option('--consistency <l|s>', 'linearizable (l), or serializable (s): from the asked member alone, may be old', 'l')
    .option('--order <order>', 'ASCEND or DESCEND', '')
    .option('--sort-by <field>', 'CREATE, KEY, MODIFY, VALUE or VERSION', '')
    .option('--limit <n>', 'at most this many; 0: all', '0')
    .option('--prefix', 'keys that begin with KEY')
    .option('--from-key', 'KEY and all after it')
    .option('--rev <revision>', 'as of this revision; 0: the newest', '0')
    .option('--keys-only', 'no values')
    .option('--count-only', 'no keys, only how many there are')
    .option('--print-value-only', 'only values, with the simple format');
}

export function getRequest(args: readonly string[], flags: GetFlags): RangeRequest {
  if (flags.consistency !== 'l' && flags.consistency !== 's') throw new UsageFault(`unknown consistency flag ${JSON.stringify(flags.consistency)}, it is l or s`);
  const order = ORDERS[flags.order.toUpperCase()];
  if (order === undefined) throw new UsageFault(`bad sort order ${flags.order}, it is ASCEND or DESCEND`);
  const sortBy = TARGETS[flags.sortBy.toUpperCase()];
  if (sortBy === undefined) throw new UsageFault(`bad sort target ${flags.sortBy}, it is CREATE, KEY, MODIFY, VALUE or VERSION`);
  return rangeRequest(keyRange(args, flags, 'get'), {
    limit: wholeFlag(flags.limit, '--limit'),
    revision: wholeFlag(flags.rev, '--rev'),
    serializable: flags.consistency === 's',
    order,
    sortBy,
    keysOnly: flags.keysOnly ?? false,
    countOnly: flags.countOnly ?? false,
  });
}

export function addPutFlags(command: Command): Command {
  return command
    .option('--lease <id>', 'attach the key to this lease, id in hex', '0')
    .option('--prev-kv', 'also print what the key was before')
    .option('--ignore-value', 'keep the value, update the rest')
    .option('--ignore-lease', 'keep the lease');
}

/** `value` is undefined where it must come from elsewhere. */
export function putRequestOf(args: readonly string[], flags: PutFlags, stdin?: Buffer): PutRequest {
  const [key, value] = args.map(bytesOfRaw);
  if (key === undefined || args.length > 2) throw new UsageFault('put command needs 1 argument and input from stdin or 2 arguments');
  if (flags.ignoreValue === true && args.length !== 1) throw new UsageFault("put command needs only 1 argument when 'ignore-value' is set");
  const content = flags.ignoreValue === true ? '' : (value ?? stdin);
  if (content === undefined) throw new UsageFault('put command needs 1 argument and input from stdin or 2 arguments');
  const { prevKv = false, ignoreValue = false, ignoreLease = false } = flags;
  return putRequest(key, content, { lease: leaseIdOf(flags.lease), prevKv, ignoreValue, ignoreLease });
}

export function addDelFlags(command: Command): Command {
  return command
    .option('--prefix', 'keys that begin with KEY')
    .option('--from-key', 'KEY and all after it')
    .option('--prev-kv', 'also print what was deleted');
}

export function delRequest(args: readonly string[], flags: DelFlags): DeleteRangeRequest {
  return deleteRequest(keyRange(args, flags, 'del'), { prevKv: flags.prevKv ?? false });
}

async function get(context: Context, args: readonly string[], flags: GetFlags & StreamFlag): Promise<void> {
  context.refuseTable();
  const valueOnly = flags.printValueOnly ?? false;
  if (valueOnly && context.format !== 'simple') throw new UsageFault('print-value-only is only for `--write-out=simple`');
  const request = getRequest(args, flags);
  if (flags.stream === true && context.format === 'simple' && flags.countOnly !== true) {
    for await (const response of context.client.rangeStream(request)) printKv(context, { kind: 'range', response }, valueOnly);
    return;
  }
  const response = flags.stream === true ? await merged(context, request) : await context.client.range(request);
  if (flags.countOnly === true && context.format === 'simple') context.line(String(response.count));
  else printKv(context, { kind: 'range', response }, valueOnly);
}

/** As one answer: what the other formats print. */
async function merged(context: Context, request: RangeRequest): Promise<Reply<RangeResponse>> {
  const kvs: KeyValue[] = [];
  let last: Reply<RangeResponse> | undefined;
  for await (const chunk of context.client.rangeStream(request)) {
    for (const kv of chunk.kvs) kvs.push(kv);
    last = chunk;
  }
  if (last === undefined) throw new Failed('the stream ended without an answer');
  return { ...last, kvs };
}

async function put(context: Context, args: readonly string[], flags: PutFlags): Promise<void> {
  context.refuseTable();
  const fromStdin = args.length === 1 && flags.ignoreValue !== true;
  const { key, value, ...options } = putRequestOf(args, flags, fromStdin ? await context.io.stdin() : undefined);
  printKv(context, { kind: 'put', response: await context.client.put(key, value, options) });
}

async function del(context: Context, args: readonly string[], flags: DelFlags): Promise<void> {
  context.refuseTable();
  const { key, rangeEnd: end, prevKv } = delRequest(args, flags);
  const range = end.length === 0 ? { key } : { key, end };
  printKv(context, { kind: 'delete-range', response: await context.client.delete(range, { prevKv }) });
}

async function compaction(context: Context, args: readonly string[], flags: { readonly physical?: boolean }): Promise<void> {
  if (args.length !== 1) throw new UsageFault('compaction command needs 1 argument');
  const revision = wholeFlag(args[0] ?? '', 'the revision');
  await context.client.compact(revision, { physical: flags.physical ?? false });
  context.line(`compacted revision ${revision}`);
}

export function addKvCommands(register: Register): void {
  const read = addGetFlags(register.command('get', '[key] [range_end]', 'read a key or a range of keys', get, `
  kintsugi ctl get greeting
  kintsugi ctl get user/ --prefix --limit=10 --keys-only
  kintsugi ctl get user/a user/m                   keys from user/a up to, not including, user/m
  kintsugi ctl get greeting --rev=4                as it was at revision 4
  kintsugi ctl get "" --prefix --count-only        how many keys there are
  kintsugi ctl get greeting -w json                keys and values in base64`));
  read.option('--stream', 'take a large range piece by piece: neither side holds it whole');
  addPutFlags(register.command('put', '[key] [value]', 'set a key; without VALUE it is read from standard input', put, `
  kintsugi ctl put greeting hello
  kintsugi ctl put greeting hello --prev-kv        also prints what it replaced
  kintsugi ctl put services/a up --lease=32695410dcc0ca06
  kintsugi ctl put photo < photo.jpg`));
  addDelFlags(register.command('del', '[key] [range_end]', 'delete a key or a range of keys; prints how many went', del, `
  kintsugi ctl del greeting
  kintsugi ctl del user/ --prefix --prev-kv        also prints what went`));
  register.command('compaction', '[revision]', 'forget versions that were replaced at or before a revision', compaction, `
  kintsugi ctl compaction 1200`).option('--physical', 'wait until they are gone from the disk');
}
