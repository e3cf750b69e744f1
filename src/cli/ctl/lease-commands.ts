/** lease grant, revoke, timetolive, list, keep-alive: output of etcdctl. */

import { ClientError, type LeaseGranted, type ResponseHeader } from '../../client/client.js';
import { goJson, goQuote, type GoValue } from '../render/go.js';
import { UsageFault, type Context } from './context.js';
import { leaseIdOf, leaseName } from './lease-id.js';
import { headerFields, jsonHeader } from './print-kv.js';
import type { Register } from './register.js';

interface TimeToLiveFlags {
  readonly keys?: boolean;
}

interface KeepAliveFlags {
  readonly once?: boolean;
}

/** Of the TTL, between two keep-alives. */
const SHARE = 1 / 3;
/** Before one that failed is sent again. */
const RETRY_MS = 200;

/** The forms of an answer; the header's fields stand among the others in etcdctl's JSON. */
interface Shown {
  readonly header: ResponseHeader;
  readonly json: { readonly [name: string]: GoValue };
  /** Lines. */
  readonly fields: string;
  readonly simple: string;
}

function show({ io, format }: Context, { header, json, fields, simple }: Shown): void {
  if (format === 'json') io.out(`${goJson({ ...(jsonHeader(header) as object), ...json })}\n`);
  else if (format === 'fields') io.out(headerFields(header) + fields);
  else io.out(simple);
}

function idOf(args: readonly string[], message: string): bigint {
  if (args.length !== 1) throw new UsageFault(message);
  return leaseIdOf(args[0] ?? '');
}

async function grant(context: Context, args: readonly string[]): Promise<void> {
  context.refuseTable();
  if (args.length !== 1) throw new UsageFault('lease grant command needs TTL argument');
  const ttl = /^-?\d+$/.test(args[0] ?? '') ? Number(args[0]) : Number.NaN;
  if (!Number.isSafeInteger(ttl)) throw new UsageFault(`bad TTL (${JSON.stringify(args[0])}), expecting seconds as a whole number`);
  const granted = await context.client.lease.grant({ ttl });
  show(context, {
    header: granted.header,
    json: { ID: granted.id, TTL: granted.ttl, Error: '' },
    fields: `"ID" : ${granted.id}\n"TTL" : ${granted.ttl}\n`,
    simple: `lease ${leaseName(granted.id)} granted with TTL(${granted.ttl}s)\n`,
  });
}

async function revoke(context: Context, args: readonly string[]): Promise<void> {
  context.refuseTable();
  const id = idOf(args, 'lease revoke command needs 1 argument');
  const { header } = await context.client.lease.revoke(id);
  if (context.format === 'json') context.line(goJson({ header: jsonHeader(header) }));
  else show(context, { header, json: {}, fields: '', simple: `lease ${leaseName(id)} revoked\n` });
}

async function timeToLive(context: Context, args: readonly string[], flags: TimeToLiveFlags): Promise<void> {
  context.refuseTable();
  const id = idOf(args, 'lease timetolive command needs lease ID as argument');
  const withKeys = flags.keys ?? false;
  const { header, ttl, grantedTtl, keys } = await context.client.lease.timeToLive(id, { keys: withKeys });
  const name = leaseName(id);
  const attached = withKeys ? `, attached keys([${keys.map((key) => Buffer.from(key).toString()).join(' ')}])` : '';
  show(context, {
    header,
    json: { id, ttl, 'granted-ttl': grantedTtl, keys: keys.length === 0 ? null : keys },
    fields: `"ID" : ${id}\n"TTL" : ${ttl}\n"GrantedTTL" : ${grantedTtl}\n${keys.map((key) => `"Key" : ${goQuote(key)}\n`).join('')}`,
    simple: ttl === -1 && grantedTtl === 0
      ? `lease ${name} already expired\n`
      : `lease ${name} granted with TTL(${grantedTtl}s), remaining(${ttl}s)${attached}\n`,
  });
}

async function list(context: Context, args: readonly string[]): Promise<void> {
  context.refuseTable();
  if (args.length > 0) throw new UsageFault('lease list command needs no arguments');
  const { header, ids } = await context.client.lease.list();
  show(context, {
    header,
    json: { leases: ids.map((id) => ({ id })) },
    fields: ids.map((id) => `"ID" : ${id}\n`).join(''),
    simple: `found ${ids.length} leases\n${ids.map((id) => `${leaseName(id)}\n`).join('')}`,
  });
}

function showRenewed(context: Context, { header, id, ttl }: LeaseGranted): void {
  show(context, {
    header,
    json: { ID: id, TTL: ttl },
    fields: `"ID" : ${id}\n"TTL" : ${ttl}\n`,
    simple: `lease ${leaseName(id)} keepalived with TTL(${ttl})\n`,
  });
}

/** Until the lease is gone, or no keep-alive was answered for its TTL. */
async function keepAlive(context: Context, args: readonly string[], flags: KeepAliveFlags): Promise<void> {
  context.refuseTable();
  const id = idOf(args, 'lease keep-alive command needs lease ID as argument');
  const { lease } = context.client;
  if (flags.once === true) return showRenewed(context, await lease.keepAliveOnce(id));
  let until = 0;
  for (;;) {
    const sentAt = Date.now();
    let pauseMs = RETRY_MS;
    try {
      const renewed = await lease.keepAliveOnce(id);
      showRenewed(context, renewed);
      until = sentAt + renewed.ttl * 1000;
      pauseMs = renewed.ttl * 1000 * SHARE;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.code === 'NOT_FOUND') break;
      if (Date.now() >= until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  if (context.format === 'simple') context.line(`lease ${leaseName(id)} expired or revoked.`);
}

export function addLeaseCommands(register: Register): void {
  const lease = register.group('lease', 'keys that go when nobody keeps their lease alive', `
  kintsugi ctl lease grant 60
  kintsugi ctl lease list`);
  lease.command('grant', '<ttl>', 'a new lease, which ends after TTL seconds unless it is kept alive', grant, `
  kintsugi ctl lease grant 60
  kintsugi ctl lease grant 60 -w json`);
  lease.command('revoke', '<lease-id>', 'end a lease, named by its id in hex, and delete its keys', revoke, `
  kintsugi ctl lease revoke 32695410dcc0ca06`);
  lease.command('timetolive', '<lease-id>', 'how long a lease has left, and which keys go with it', timeToLive, `
  kintsugi ctl lease timetolive 32695410dcc0ca06
  kintsugi ctl lease timetolive 32695410dcc0ca06 --keys`).option('--keys', 'also print its keys');
  lease.command('list', '', 'all leases', list, `
  kintsugi ctl lease list`);
  lease.command('keep-alive', '<lease-id>', 'keep a lease alive until this command is ended, or the lease is', keepAlive, `
  kintsugi ctl lease keep-alive 32695410dcc0ca06
  kintsugi ctl lease keep-alive 32695410dcc0ca06 --once`).option('--once', 'renew it once, and return');
}
