/** endpoint status, endpoint health, move-leader: output of etcdctl 3.4. */

import { ClientError, type MemberStatus } from '../../client/client.js';
import { goBytes, goDuration, goJson, nonZero, type GoValue } from '../render/go.js';
import { boxTable } from '../render/table.js';
import { explain, Failed, UsageFault, type Context } from './context.js';
import { headerFields, jsonHeader } from './print-kv.js';
import type { Register } from './register.js';

interface ClusterFlag {
  readonly cluster?: boolean;
}

interface EndpointStatus {
  readonly endpoint: string;
  readonly status: MemberStatus;
}

function words(error: unknown): string {
  if (!(error instanceof ClientError)) throw error;
  return error.code === 'DEADLINE_EXCEEDED' ? 'context deadline exceeded' : error.details;
}

const STATUS_HEADERS = ['endpoint', 'ID', 'version', 'db size', 'is leader', 'is learner', 'raft term', 'raft index', 'raft applied index', 'errors'];

function statusRow({ endpoint, status }: EndpointStatus): string[] {
  const { header, version, dbSize, leader, isLearner, raftTerm, raftIndex, raftAppliedIndex, errors } = status;
  const isLeader = leader === header.memberId;
  const id = header.memberId.toString(16);
  const cells = [endpoint, id, version, goBytes(dbSize), isLeader, isLearner, raftTerm, raftIndex, raftAppliedIndex];
  return [...cells.map(String), errors.join(', ')];
}

function statusJson({ endpoint, status: s }: EndpointStatus): GoValue {
  const Status = {
    header: jsonHeader(s.header), version: nonZero(s.version), dbSize: nonZero(s.dbSize), leader: nonZero(s.leader),
    raftIndex: nonZero(s.raftIndex), raftTerm: nonZero(s.raftTerm), raftAppliedIndex: nonZero(s.raftAppliedIndex),
    errors: nonZero(s.errors), dbSizeInUse: nonZero(s.dbSizeInUse), isLearner: nonZero(s.isLearner),
  };
  return { Endpoint: endpoint, Status };
}

function statusFields({ endpoint, status: s }: EndpointStatus): string {
  return `${headerFields(s.header)}"Version" : ${JSON.stringify(s.version)}\n"DBSize" : ${s.dbSize}\n"Leader" : ${s.leader}\n"IsLearner" : ${s.isLearner}\n` +
    `"RaftIndex" : ${s.raftIndex}\n"RaftTerm" : ${s.raftTerm}\n"RaftAppliedIndex" : ${s.raftAppliedIndex}\n` +
    `"Errors" : [${s.errors.map((e) => JSON.stringify(e)).join(' ')}]\n"Endpoint" : ${JSON.stringify(endpoint)}\n\n`;
}

async function endpointStatus(context: Context, _args: readonly string[], flags: ClusterFlag): Promise<void> {
  const found: EndpointStatus[] = [];
  let failed = 0;
  await Promise.all((await context.targets(flags.cluster ?? false)).map(async (endpoint, i) => {
    try {
      found[i] = { endpoint, status: await context.client.status({ endpoint }) };
    } catch (error) {
      failed++;
      context.io.err(`Failed to get the status of endpoint ${endpoint} (${words(error)})\n`);
    }
  }));
  const statuses = found.filter((status) => status !== undefined);
  const { io, format } = context;
  if (format === 'json') io.out(`${goJson(statuses.map(statusJson))}\n`);
  else if (format === 'fields') io.out(statuses.map(statusFields).join(''));
  else if (format === 'table') io.out(boxTable(STATUS_HEADERS, statuses.map(statusRow)));
  else io.out(statuses.map((status) => `${statusRow(status).join(', ')}\n`).join(''));
  if (failed > 0) throw new Failed('');
}

interface Health {
  readonly endpoint: string;
  readonly health: boolean;
  readonly took: string;
  readonly error: string;
}

/** As etcdctl judges it: a linearizable read is answered, whatever it finds. */
async function healthOf(context: Context, endpoint: string): Promise<Health> {
  const began = performance.now();
  let error = '';
  try {
    await context.client.getRange('health', { endpoint });
  } catch (caught) {
    if (!(caught instanceof ClientError && caught.code === 'PERMISSION_DENIED')) error = words(caught);
  }
  return { endpoint, health: error === '', took: goDuration(performance.now() - began), error };
}

async function endpointHealth(context: Context, _args: readonly string[], flags: ClusterFlag): Promise<void> {
  const targets = await context.targets(flags.cluster ?? false);
  const healths = await Promise.all(targets.map((endpoint) => healthOf(context, endpoint)));
  const { io, format } = context;
  if (format === 'json') io.out(`${goJson(healths.map((h) => ({ ...h, error: nonZero(h.error) })))}\n`);
  else if (format === 'table') io.out(boxTable(['endpoint', 'health', 'took', 'error'], healths.map((h) => [h.endpoint, h.health, h.took, h.error])));
  else if (format === 'fields') {
    for (const h of healths) io.out(`"Endpoint" : "${h.endpoint}"\n"Health" : ${h.health}\n"Took" : ${h.took}\n"Error" : ${h.error}\n\n`);
  } else {
    for (const h of healths) {
      // etcdctl 3.4 writes both to standard error.
      io.err(h.health
        ? `${h.endpoint} is healthy: successfully committed proposal: took = ${h.took}\n`
        : `${h.endpoint} is unhealthy: failed to commit proposal: ${h.error}\n`);
    }
  }
  if (healths.some((h) => !h.health)) throw new Failed('unhealthy cluster');
}

async function moveLeader(context: Context, args: readonly string[]): Promise<void> {
  if (args.length !== 1) throw new UsageFault('move-leader command needs 1 argument');
  const text = args[0] ?? '';
  if (!/^[0-9a-fA-F]{1,16}$/.test(text)) throw new UsageFault(`bad member ID ${JSON.stringify(text)}, expecting ID in Hex`);
  const target = BigInt(`0x${text}`);
  for (const endpoint of context.endpoints) {
    let status: MemberStatus;
    try {
      status = await context.client.status({ endpoint });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      context.io.err(explain(error));
      continue;
    }
    if (status.leader !== status.header.memberId) continue;
    await context.client.moveLeader(target, { endpoint });
    if (context.format === 'json') context.io.out('{}\n');
    else context.line(`Leadership transferred from ${status.leader.toString(16)} to ${target.toString(16)}`);
    return;
  }
  throw new Failed(`no leader endpoint given at [${context.endpoints.join(' ')}]\n  try:   give all members in --endpoints`);
}

export function addEndpointCommands(register: Register): void {
  const endpoint = register.group('endpoint', 'status and health of members', `
  kintsugi ctl endpoint status --cluster -w table
  kintsugi ctl endpoint health --cluster`);
  endpoint.command('status', '', 'what each endpoint says of itself', endpointStatus, `
  kintsugi ctl endpoint status -w table
  kintsugi ctl endpoint status --cluster -w json`).option('--cluster', 'all members, as the member list names them');
  endpoint.command('health', '', 'whether each endpoint answers a linearizable read', endpointHealth, `
  kintsugi ctl endpoint health --cluster`).option('--cluster', 'all members, as the member list names them');
  register.command('move-leader', '[member-id]', 'hand leadership over to a member, named by its id in hex', moveLeader, `
  kintsugi ctl --endpoints=127.0.0.1:2379,127.0.0.1:22379 move-leader 9e737febb6b99eee`);
}
