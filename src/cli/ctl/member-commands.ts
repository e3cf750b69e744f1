/** member list, add, promote, remove, update: output of etcdctl 3.4. And replace, which is ours. */

import type { Member, MemberList } from '../../client/client.js';
import { goJson, nonZero, type GoValue } from '../render/go.js';
import { boxTable } from '../render/table.js';
import { UsageFault, type Context } from './context.js';
import { memberIdOf } from './member-id.js';
import { memberReplace } from './member-replace.js';
import { headerFields, jsonHeader } from './print-kv.js';
import type { Register } from './register.js';

interface ListFlags {
  readonly consistency?: string;
}

interface AddFlags {
  readonly peerUrls?: string;
  readonly learner?: boolean;
}

function memberJson(m: Member): GoValue {
  return {
    ID: nonZero(m.id), name: nonZero(m.name), peerURLs: nonZero(m.peerUrls), clientURLs: nonZero(m.clientUrls),
    isLearner: nonZero(m.isLearner),
  };
}

function memberFields(m: Member): string {
  return `"ID" : ${m.id}\n"Name" : "${m.name}"\n${m.peerUrls.map((u) => `"PeerURL" : "${u}"\n`).join('')}` +
    `${m.clientUrls.map((u) => `"ClientURL" : "${u}"\n`).join('')}"IsLearner" : ${m.isLearner}\n`;
}

async function memberList(context: Context, _args: readonly string[], flags: ListFlags): Promise<void> {
  const { header, members } = await context.client.memberList(flags.consistency === 's' ? {} : { linearizable: true });
  const { io, format } = context;
  const rows = members.map((m) => [
    m.id.toString(16), m.name === '' ? 'unstarted' : 'started', m.name, m.peerUrls.join(','), m.clientUrls.join(','), String(m.isLearner),
  ]);
  if (format === 'json') {
    io.out(`${goJson({ header: jsonHeader(header), members: nonZero(members.map(memberJson)) })}\n`);
  } else if (format === 'fields') {
    io.out(headerFields(header));
    for (const m of members) io.out(`${memberFields(m)}\n`);
  } else if (format === 'table') {
    io.out(boxTable(['ID', 'status', 'name', 'peer addrs', 'client addrs', 'is learner'], rows));
  } else {
    io.out(rows.map((row) => `${row.join(', ')}\n`).join(''));
  }
}

/** As Go prints `%16x`. */
function hex16(id: bigint): string {
  return id.toString(16).padStart(16);
}

function urlsOf(flags: AddFlags): string[] {
  const urls = (flags.peerUrls ?? '').split(',').map((url) => url.trim()).filter((url) => url !== '');
  if (urls.length === 0) throw new UsageFault('member peer urls not provided');
  return urls;
}

/** What a change gives, in the form that is asked for. */
function show(context: Context, { header, members }: MemberList, line: string, added?: Member): void {
  const { io, format } = context;
  if (format === 'json') {
    const member = added === undefined ? {} : { member: memberJson(added) };
    io.out(`${goJson({ header: jsonHeader(header), ...member, members: nonZero(members.map(memberJson)) })}\n`);
  } else if (format === 'fields') {
    io.out(headerFields(header));
    for (const m of members) io.out(`${memberFields(m)}\n`);
  } else {
    context.line(line);
  }
}

async function memberAdd(context: Context, args: readonly string[], flags: AddFlags): Promise<void> {
  const [name] = args;
  if (name === undefined) throw new UsageFault('member name not provided');
  if (args.length > 1) throw new UsageFault('too many arguments: member add NAME --peer-urls=URL');
  const urls = urlsOf(flags);
  const added = await context.client.memberAdd(urls, flags.learner ?? false);
  const { header, member, members } = added;
  show(context, added, `Member ${hex16(member.id)} added to cluster ${hex16(header.clusterId)}`, member);
  if (context.format !== 'simple') return;
  const cluster = members.flatMap((m) => m.peerUrls.map((url) => `${m.id === member.id ? name : m.name}=${url}`));
  context.line('');
  context.line(`ETCD_NAME=${JSON.stringify(name)}`);
  context.line(`ETCD_INITIAL_CLUSTER=${JSON.stringify(cluster.join(','))}`);
  context.line(`ETCD_INITIAL_ADVERTISE_PEER_URLS=${JSON.stringify(member.peerUrls.join(','))}`);
  context.line('ETCD_INITIAL_CLUSTER_STATE="existing"');
}

async function memberRemove(context: Context, args: readonly string[]): Promise<void> {
  const id = memberIdOf(args, 'member remove');
  const list = await context.client.memberRemove(id);
  show(context, list, `Member ${hex16(id)} removed from cluster ${hex16(list.header.clusterId)}`);
}

async function memberPromote(context: Context, args: readonly string[]): Promise<void> {
  const id = memberIdOf(args, 'member promote');
  const list = await context.client.memberPromote(id);
  show(context, list, `Member ${hex16(id)} promoted in cluster ${hex16(list.header.clusterId)}`);
}

async function memberUpdate(context: Context, args: readonly string[], flags: AddFlags): Promise<void> {
  const id = memberIdOf(args, 'member update');
  const list = await context.client.memberUpdate(id, urlsOf(flags));
  show(context, list, `Member ${hex16(id)} updated in cluster ${hex16(list.header.clusterId)}`);
}

export function addMemberCommands(register: Register): void {
  const member = register.group('member', 'the members of the cluster', `
  kintsugi ctl member list -w table
  kintsugi ctl member add n4 --peer-urls=http://10.0.0.4:2380 --learner
  kintsugi ctl member replace 8211f1d0f64f3269 http://10.0.0.4:2380 --name n4`);
  member.command('list', '', 'all members: id, status, name, peer addresses, client addresses, learner', memberList, `
  kintsugi ctl member list -w table`).option('--consistency <l|s>', 'l: as the cluster has agreed (default), s: as the endpoint knows it');
  const urls = ['--peer-urls <list>', 'where the other members reach it, with commas between'] as const;
  member.command('add', '[name]', 'add a member, which is started afterwards with what this prints', memberAdd, `
  kintsugi ctl member add n4 --peer-urls=http://10.0.0.4:2380
  kintsugi ctl member add n4 --peer-urls=http://10.0.0.4:2380 --learner`)
    .option(...urls).option('--learner', 'without a vote, until it is promoted');
  member.command('promote', '[member-id]', 'give a learner its vote, once it has caught up', memberPromote, `
  kintsugi ctl member promote 9e737febb6b99eee`);
  member.command('remove', '[member-id]', 'remove a member, named by its id in hex; its id is never used again', memberRemove, `
  kintsugi ctl member remove 9e737febb6b99eee`);
  member.command('replace', '[member-id] [new-peer-url]', 'a new member in the place of a dead one, in one go; run it again to go on', memberReplace, `
  kintsugi ctl member replace 9e737febb6b99eee http://10.0.0.4:2380 --name n4`).option('--name <name>', 'of the new member, for the command that starts it');
  member.command('update', '[member-id]', 'tell the others that a member is found elsewhere', memberUpdate, `
  kintsugi ctl member update 9e737febb6b99eee --peer-urls=http://10.0.0.5:2380`).option(...urls);
}
