/**
 * Who a process is that was started with `--initial-cluster-state existing`. As in etcd: it was
 * added to the cluster before, asks the members that `--initial-cluster` names who is in it, and
 * finds itself by its own peer URL. What it was told is kept in the file `joined`
 * (`replica/state/joined.ts`): so it is taken from nobody who may be far behind
 * (`replica/state/told-members.ts`). If that file is lost, they are asked again.
 */

import type { Disk } from '../base/disk.js';
import { codeOf, messageOf } from '../base/errors.js';
import type { EventSink } from '../base/events.js';
import { formatId } from '../base/ids.js';
import { viewHardState, type HardStateRecord } from '../replica/hard-state/hard-state.js';
import { readIntent, writeIntent, type RecoverIntent } from '../replica/readmission/intent.js';
import { whoWas } from '../replica/readmission/rules.js';
import { identityOnDisk } from '../replica/start/identity-on-disk.js';
import { refuseUnfinishedTakeover } from '../replica/start/unfinished-takeover.js';
import { decodeDescription } from '../replica/state/description.js';
import { JoinError, joinedIdentity, joinedMissing, writeJoined, type Identity, type Joined } from '../replica/state/joined.js';
import { foundBy, memberAt, type Found, type Told } from '../replica/state/told-members.js';
import { describeAt } from './peer/describe-at.js';
import type { NodeConfig } from './options/config.js';
import { isRestoredWith } from './options/restored-cluster.js';
import type { ClientTls } from './tls/client-tls.js';

const ASK_MS = 1_000;
const PAUSE_MS = 250;
/** For how many election time-outs the members are asked until one answers: 30 s by default. */
const PATIENCE_ELECTIONS = 30;
/** For how many more until one knows of this one: it may just have been added. */
const KNOWN_ELECTIONS = 5;
/** More than a cluster has members, and bounds what an answer can name. */
const MAX_ASKED = 64;

/**
 * Rejects with JoinError, RecoverError, ReplicaError TAKEOVER_UNFINISHED and DiskError. `events` is
 * told of what was mended.
 */
export async function identityOf(config: NodeConfig, disk: Disk, tls?: ClientTls, events: EventSink = SILENT): Promise<Identity> {
  const flags: Identity = { self: config.memberId, clusterId: config.clusterId, members: config.members, joins: [] };
  await refuseUnfinishedTakeover(disk);
  const intent = await readIntent(disk);
  if (intent?.stage === 'asks') return toldWhileAsking(config, disk, await identityOnDisk(disk, flags), intent, tls);
  const known = await identityOnDisk(disk, flags).catch((error: unknown) => {
    if (codeOf(error) === 'JOINED_UNREADABLE') return error as JoinError;
    throw error;
  });
  if (known instanceof JoinError || (known === flags && disk.sizeOf('hardstate') !== undefined)) {
    return intent?.stage === 'admitted' ? orThrow(known) : toldAnew(config, disk, known, events, tls);
  }
  if (known !== flags || intent !== undefined) return known;
  const joined = config.existing ? await ask(config, tls) : await followed(config, tls);
  if (joined === undefined) return flags;
  await writeJoined(disk, joined);
  return joinedIdentity(joined, config.name);
}

const SILENT: EventSink = { emit: () => undefined };

function orThrow(known: Identity | JoinError): Identity {
  if (known instanceof JoinError) throw known;
  return known;
}

/**
 * No file says who the member is whose hard state this is, and it is not the one that the flags
 * describe. R5 no promise of its is lost: if the others know it, at the place that the flags give
 * it, they say what the file said.
 */
async function toldAnew(
  config: NodeConfig, disk: Disk, known: Identity | JoinError, events: EventSink, tls: ClientTls | undefined,
): Promise<Identity> {
  const whose = (await viewHardState(disk))?.record;
  if (whose === undefined || isOfFlags(config, whose)) return orThrow(known);
  const own = placeOf(config);
  const others = config.members.filter(({ id }) => id !== config.memberId).flatMap(({ peerUrls }) => peerUrls);
  const told = (await askAll(others, tls)).filter(isTold).filter(({ description }) => description.clusterId === whose.clusterId);
  const found = foundBy(told, memberAt(own));
  if (found?.self === whose.memberId && found.lacking.length === 0) {
    const joined = { self: found.self, description: found.description };
    await writeJoined(disk, joined);
    events.emit({ type: 'warning', message: JOINED_TOLD_ANEW, data: { member: formatId(joined.self) } });
    return joinedIdentity(joined, config.name);
  }
  if (!(known instanceof JoinError) && config.existing) throw joinedMissing(whose, undefined, false);
  return orThrow(known);
}

export const JOINED_TOLD_ANEW = 'the file joined was lost: it is written anew, as the other members tell it';

/** Of the member that they describe, or of another one that they name: then they are wrong. */
function isOfFlags({ clusterId, members, existing }: NodeConfig, whose: HardStateRecord): boolean {
  return (existing || clusterId === whose.clusterId) && members.some(({ id }) => id === whose.memberId);
}

function placeOf({ members, memberId }: NodeConfig): readonly string[] {
  return members.find(({ id }) => id === memberId)?.peerUrls ?? [];
}

/**
 * With an empty directory: who the member is now that its flags describe, if it was re-admitted
 * since they were written, or its cluster was restored from a backup with the same token.
 * Undefined: neither, as far as anybody says. R1 Beside members of a restored cluster it founds
 * none by its flags. Rejects with JoinError if too few of them say who they are.
 */
async function followed(config: NodeConfig, tls: ClientTls | undefined): Promise<Joined | undefined> {
  const own = placeOf(config);
  const others = config.members.filter(({ id }) => id !== config.memberId).flatMap(({ peerUrls }) => peerUrls);
  const said = await askAll(others, tls);
  const place = { name: config.name, peerUrls: own };
  const told = said.filter(isTold).filter(({ description }) => description.clusterId === config.clusterId);
  const restored = said.filter(isTold).filter(({ description }) => isRestoredWith(config.token, description));
  if (told.length === 0 && restored.length > 0) {
    const found = foundBy(restored, (members) => whoWas(members, { shown: [], place }));
    if (found === undefined || found.self === 0 || found.lacking.length > 0) throw inVain(own, said, found);
    return found;
  }
  const was = foundBy(told, (members) => (members.removed.includes(config.memberId) ? whoWas(members, { shown: [], place }) : 0));
  return was === undefined || was.self === 0 || was.lacking.length > 0 ? undefined : was;
}

/**
 * Who a member was that is to be re-admitted, and where the others are found now: as they say, or,
 * while none of them says anything, as its own files and flags do (`known`).
 */
async function toldWhileAsking(
  config: NodeConfig, disk: Disk, known: Identity, intent: RecoverIntent, tls: ClientTls | undefined,
): Promise<Identity> {
  const own = known.members.concat(known.joins).find(({ id }) => id === known.self)?.peerUrls ?? [];
  const urls = new Set([...known.members, ...known.joins].flatMap(({ peerUrls }) => peerUrls).filter((url) => !own.includes(url)));
  const said = await askAll([...urls], tls);
  const may = ({ description }: Told): boolean =>
    [0n, description.clusterId].includes(intent.clusterId) || (intent.shown.length === 0 && isRestoredWith(config.token, description));
  const told = said.filter(isTold).filter(may);
  const place = intent.byName ? { name: config.name, peerUrls: own } : undefined;
  // It only asks under this id: whoever answers knows better.
  const was = foundBy(told, (members) => whoWas(members, { shown: intent.shown, place }));
  if (was === undefined || was.self === 0) return known;
  const { clusterId } = was.description;
  // Its flags alone said which cluster it is of, and could not know that this was restored.
  if (![0n, clusterId].includes(intent.clusterId)) await writeIntent(disk, { ...intent, clusterId });
  return joinedIdentity(was, config.name);
}

async function ask(config: NodeConfig, tls: ClientTls | undefined): Promise<Joined> {
  const own = config.members.find(({ name }) => name === config.name)?.peerUrls ?? [];
  const others = config.members.filter(({ name }) => name !== config.name).flatMap(({ peerUrls }) => peerUrls);
  const asked = new Set(others);
  let until = performance.now() + PATIENCE_ELECTIONS * config.electionMs;
  for (;;) {
    const said = await askAll([...asked], tls);
    const found = foundBy(said.filter(isTold), memberAt(own));
    if (found?.lacking.length === 0) {
      if (found.self !== 0) return { self: found.self, description: found.description };
      until = Math.min(until, performance.now() + KNOWN_ELECTIONS * config.electionMs);
    }
    if (performance.now() >= until) throw inVain(own, said, found);
    for (const url of found?.lacking ?? []) if (asked.size < MAX_ASKED && !own.includes(url)) asked.add(url);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function inVain(own: readonly string[], said: readonly Said[], found: Found | undefined): JoinError {
  if (found?.lacking.length === 0) {
    const urls = own.join(',');
    return new JoinError('NOT_ADDED',
      `the cluster ${found.description.clusterId.toString(16)} has no member with the peer URL ${urls}: add it first, with kintsugi ctl member add NAME --peer-urls=${urls}`);
  }
  const why = said.flatMap(({ url, description }) => (typeof description === 'string' ? [`${url}: ${description}`] : [])).join('; ');
  if (found === undefined) {
    return new JoinError('NO_MEMBER_ANSWERS', `no member of --initial-cluster says who is in the cluster (${why || 'it names no other'}): check the URLs, and that they run`);
  }
  return new JoinError('NO_MEMBER_ANSWERS',
    `too few members say who is in the cluster, and those that do may be far behind (${why}): start those at ${found.lacking.join(', ')}`);
}

interface Said {
  readonly url: string;
  /** A string: why there is none. */
  readonly description: Told['description'] | string;
}

function isTold(said: Said): said is Told {
  return typeof said.description !== 'string';
}

function askAll(urls: readonly string[], tls: ClientTls | undefined): Promise<Said[]> {
  return Promise.all(urls.map(async (url) => {
    try {
      return { url, description: decodeDescription(await describeAt(url, ASK_MS, tls)) };
    } catch (error) {
      return { url, description: messageOf(error) };
    }
  }));
}
