/**
 * member replace: the usual way to put a new machine in the place of one that is gone, whole. It
 * adds the new one as a learner, waits until it is started and in sync, and then, in one joint
 * change, gives it the vote of the old one. Each step is looked for in the cluster before it is
 * done: run again, it goes on where it stopped, and says what is done already.
 */

import { ClientError, type Member } from '../../client/client.js';
import { Failed, UsageFault, type Context } from './context.js';
import { memberIdOf } from './member-id.js';

interface ReplaceFlags {
  readonly name?: string;
}

const PAUSE_MS = 500;
const NOT_READY = /in sync with leader/;

export async function memberReplace(context: Context, args: readonly string[], flags: ReplaceFlags): Promise<void> {
  const [old = '', url] = args;
  if (url === undefined || args.length > 2) throw new UsageFault('member replace needs the ID of the old member and the peer URL of the new one');
  const removed = memberIdOf([old], 'member replace');
  const { members } = await context.client.memberList({ linearizable: true });
  const known = members.find((m) => m.peerUrls.includes(url));
  const gone = !members.some((m) => m.id === removed);
  if (known !== undefined && !known.isLearner) {
    if (!gone) throw new Failed(`${url} is the voting member ${hex(known.id)} already: to remove ${old}, use member remove`);
    context.line(`Member ${hex(known.id)} has taken the place of ${old}: nothing is left to do`);
    return;
  }
  if (gone) throw new Failed(`member ${old} is not in the cluster: kintsugi ctl member list`);
  const learner = known ?? (await added(context, url, members, flags.name ?? 'NAME'));
  await inSync(context, learner.id, removed);
  context.line(`Member ${hex(learner.id)} has taken the place of ${old}, whose id is never used again`);
}

function hex(id: bigint): string {
  return id.toString(16);
}

async function added(context: Context, url: string, members: readonly Member[], name: string): Promise<Member> {
  const { member } = await context.client.memberAdd([url], true);
  context.line(`Added learner ${hex(member.id)}. Start it now, with an empty directory:`);
  const cluster = [...members.flatMap((m) => m.peerUrls.map((peer) => `${m.name}=${peer}`)), `${name}=${url}`];
  context.line(`  kintsugi start --name ${name} --initial-cluster-state existing --initial-advertise-peer-urls ${url} --listen-peer-urls ${url} \\`);
  context.line(`    --initial-cluster ${cluster.join(',')} ...`);
  return member;
}

/** The cluster itself says when: it refuses until then. */
async function inSync(context: Context, promoted: bigint, removed: bigint): Promise<void> {
  let last = '';
  for (;;) {
    try {
      await context.client.memberReplace(promoted, removed);
      return;
    } catch (error) {
      if (!(error instanceof ClientError && NOT_READY.test(error.details))) throw error;
    }
    const line = await progress(context, promoted);
    if (line !== last) context.line(line);
    last = line;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function progress(context: Context, promoted: bigint): Promise<string> {
  const { members } = await context.client.memberList();
  const endpoint = members.find((m) => m.id === promoted)?.clientUrls[0];
  if (endpoint === undefined) return `waiting for member ${hex(promoted)} to start`;
  try {
    const [theirs, ours] = await Promise.all([context.client.status({ endpoint }), context.client.status()]);
    return `member ${hex(promoted)} has applied ${theirs.raftAppliedIndex} of ${ours.raftIndex} entries`;
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return `waiting for member ${hex(promoted)}: ${error.details}`;
  }
}
