/**
 * Who a process is that was started with `--initial-cluster-state existing`. As in etcd: it was
 * added to the cluster before, asks the members that `--initial-cluster` names who is in it, and
 * finds itself by its own peer URL. What it was told is kept in the file `joined`
 * (`replica/state/joined.ts`).
 */

import type { Disk } from '../base/disk.js';
import { messageOf } from '../base/errors.js';
import { readIntent, type RecoverIntent } from '../replica/readmission/intent.js';
import { whoWas } from '../replica/readmission/rules.js';
import { refuseUnfinishedTakeover } from '../replica/start/unfinished-takeover.js';
import { decodeDescription, type ClusterDescription } from '../replica/state/description.js';
import { identityOnDisk, JoinError, joinedIdentity, readJoined, writeJoined, type Identity, type Joined } from '../replica/state/joined.js';
import { describeAt } from './peer/describe-at.js';
import type { NodeConfig } from './options/config.js';
import type { ClientTls } from './tls/client-tls.js';

const ASK_MS = 1_000;
const PAUSE_MS = 250;
/** For how many election time-outs the members are asked until one answers: 30 s by default. */
const PATIENCE_ELECTIONS = 30;
/** For how many more until one knows of this one: it may just have been added. */
const KNOWN_ELECTIONS = 5;

/** Rejects with JoinError, RecoverError, ReplicaError TAKEOVER_UNFINISHED and DiskError. */
export async function identityOf(config: NodeConfig, disk: Disk, tls?: ClientTls): Promise<Identity> {
  const flags: Identity = { self: config.memberId, clusterId: config.clusterId, members: config.members, joins: [] };
  await refuseUnfinishedTakeover(disk);
  const intent = await readIntent(disk);
  if (intent?.stage === 'asks') return askingIdentity(config, disk, flags, intent, tls);
  const known = await identityOnDisk(disk, flags);
  if (known !== flags || disk.sizeOf('hardstate') !== undefined) return known;
  const joined = config.existing ? await ask(config, tls) : await followed(config, tls);
  if (joined === undefined) return flags;
  await writeJoined(disk, joined);
  return joinedIdentity(joined, config.name);
}

/**
 * With an empty directory: who the member is now that its flags describe, if it was re-admitted
 * since they were written. Undefined: it was not, as far as anybody says.
 */
async function followed(config: NodeConfig, tls: ClientTls | undefined): Promise<Joined | undefined> {
  const own = config.members.find(({ id }) => id === config.memberId)?.peerUrls ?? [];
  const others = config.members.filter(({ id }) => id !== config.memberId).flatMap(({ peerUrls }) => peerUrls);
  for (const answer of await Promise.all(others.map((url) => describe(url, tls)))) {
    if (typeof answer === 'string' || answer.clusterId !== config.clusterId || !answer.members.removed.includes(config.memberId)) continue;
    const self = whoWas(answer.members, { shown: [], place: { name: config.name, peerUrls: own } });
    if (self !== 0) return { self, description: answer };
  }
  return undefined;
}

/**
 * Who a member was that is to be re-admitted, and where the others are found now: as they say, or,
 * while none of them says anything, as its own files and flags do.
 */
async function askingIdentity(
  config: NodeConfig, disk: Disk, flags: Identity, intent: RecoverIntent, tls: ClientTls | undefined,
): Promise<Identity> {
  const kept = await readJoined(disk).catch((error: unknown) => {
    if (error instanceof JoinError) return undefined;
    throw error;
  });
  const known = kept === undefined ? flags : joinedIdentity(kept, config.name);
  const own = known.members.concat(known.joins).find(({ id }) => id === known.self)?.peerUrls ?? [];
  const urls = new Set([...known.members, ...known.joins].flatMap(({ peerUrls }) => peerUrls).filter((url) => !own.includes(url)));
  for (const answer of await Promise.all([...urls].map((url) => describe(url, tls)))) {
    if (typeof answer === 'string' || (intent.clusterId !== 0n && answer.clusterId !== intent.clusterId)) continue;
    const place = { name: config.name, peerUrls: own };
    const self = whoWas(answer.members, { shown: intent.shown, place: intent.byName ? place : undefined });
    if (self !== 0) return joinedIdentity({ self, description: answer }, config.name);
  }
  return known;
}

async function ask(config: NodeConfig, tls: ClientTls | undefined): Promise<Joined> {
  const own = config.members.find(({ name }) => name === config.name)?.peerUrls ?? [];
  const others = config.members.filter(({ name }) => name !== config.name).flatMap(({ peerUrls }) => peerUrls);
  let until = performance.now() + PATIENCE_ELECTIONS * config.electionMs;
  for (;;) {
    const answers = await Promise.all(others.map((url) => describe(url, tls)));
    const described = answers.filter((answer) => typeof answer !== 'string');
    if (described.length > 0) until = Math.min(until, performance.now() + KNOWN_ELECTIONS * config.electionMs);
    for (const description of described) {
      const self = description.members.list.find(({ peerUrls }) => peerUrls.some((url) => own.includes(url)))?.id;
      // Who is behind may still speak of a member that had this address before.
      if (self === undefined || described.some(({ members }) => members.removed.includes(self))) continue;
      return { self, description };
    }
    if (performance.now() >= until) throw inVain(own, others, answers, described);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function inVain(
  own: readonly string[], others: readonly string[], answers: readonly unknown[], described: readonly ClusterDescription[],
): JoinError {
  if (described.length > 0) {
    const urls = own.join(',');
    return new JoinError('NOT_ADDED',
      `the cluster ${described[0]?.clusterId.toString(16)} has no member with the peer URL ${urls}: add it first, with kintsugi ctl member add NAME --peer-urls=${urls}`);
  }
  const why = others.map((url, i) => `${url}: ${String(answers[i])}`).join('; ');
  return new JoinError('NO_MEMBER_ANSWERS', `no member of --initial-cluster says who is in the cluster (${why || 'it names no other'}): check the URLs, and that they run`);
}

/** A string: why not. */
async function describe(url: string, tls: ClientTls | undefined): Promise<ClusterDescription | string> {
  try {
    return decodeDescription(await describeAt(url, ASK_MS, tls));
  } catch (error) {
    return messageOf(error);
  }
}
