/**
 * Who a process is that was started with `--initial-cluster-state existing`. As in etcd: it was
 * added to the cluster before, asks the members that `--initial-cluster` names who is in it, and
 * finds itself by its own peer URL. What it was told is kept in the file `joined`: with whom the
 * log began is known to nobody but members, and a member must know it before its first entry.
 */

import { Client, credentials } from '@grpc/grpc-js';
import { EMPTY } from '../base/bytes.js';
import type { Disk } from '../base/disk.js';
import { CodecError, KintsugiError, messageOf } from '../base/errors.js';
import type { NodeId } from '../base/ids.js';
import type { MemberConfig } from '../replica/base/member-config.js';
import { JOINED_FILE, readJoined, writeJoined, type Joined } from '../replica/start/joined.js';
import { decodeDescription, type ClusterDescription } from '../replica/state/description.js';
import { decodeReply, DESCRIBE_PATH } from './peer/peer-codec.js';
import type { NodeConfig } from './options/config.js';
import { hostPort } from './peer-network.js';

export type JoinErrorCode =
  /** No member of the cluster could be asked. */
  | 'NO_MEMBER_ANSWERS'
  /** The cluster does not know this member. */
  | 'NOT_ADDED'
  /** The file `joined` cannot be read. */
  | 'JOINED_UNREADABLE';

export class JoinError extends KintsugiError<JoinErrorCode> {
  override readonly name = 'JoinError';
}

/** As whom a member is opened. */
export interface Identity {
  readonly self: NodeId;
  readonly clusterId: bigint;
  /** With whom the log began. */
  readonly members: readonly MemberConfig[];
  /** The members with this one; empty: it is one of `members`. */
  readonly joins: readonly MemberConfig[];
}

const ASK_MS = 1_000;
const PAUSE_MS = 250;
/** How long the members are asked until one answers. */
const PATIENCE_MS = 30_000;
/** How long after one has answered until one knows of this one: it may just have been added. */
const KNOWN_MS = 5_000;

/** Rejects with JoinError and DiskError. */
export async function identityOf(config: NodeConfig, disk: Disk): Promise<Identity> {
  const flags: Identity = { self: config.memberId, clusterId: config.clusterId, members: config.members, joins: [] };
  const kept = await readKept(disk);
  if (kept !== undefined) return asMember(config, kept.self, kept.description);
  if (!config.existing || disk.sizeOf('hardstate') !== undefined) return flags;
  const joined = await ask(config);
  await writeJoined(disk, joined);
  return asMember(config, joined.self, joined.description);
}

function asMember({ name }: NodeConfig, self: NodeId, { clusterId, members }: ClusterDescription): Identity {
  const joins = members.list.map(({ id, name: known, peerUrls }) => ({ id, name: id === self ? name : known, peerUrls }));
  return { self, clusterId, members: members.origin, joins };
}

async function ask(config: NodeConfig): Promise<Joined> {
  const own = config.members.find(({ name }) => name === config.name)?.peerUrls ?? [];
  const others = config.members.filter(({ name }) => name !== config.name).flatMap(({ peerUrls }) => peerUrls);
  let until = performance.now() + PATIENCE_MS;
  for (;;) {
    const answers = await Promise.all(others.map((url) => describe(url)));
    const described = answers.filter((answer) => typeof answer !== 'string');
    if (described.length > 0) until = Math.min(until, performance.now() + KNOWN_MS);
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
async function describe(url: string): Promise<ClusterDescription | string> {
  const client = new Client(hostPort(url), credentials.createInsecure(), { 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1 });
  const identity = (bytes: Buffer): Buffer => bytes;
  try {
    const reply = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(DESCRIBE_PATH, identity, identity, Buffer.from(EMPTY), { deadline: Date.now() + ASK_MS }, (error, bytes) => {
        if (error !== null) reject(new Error(error.details));
        else resolve(bytes ?? Buffer.alloc(0));
      });
    });
    return decodeDescription(decodeReply(reply));
  } catch (error) {
    return messageOf(error);
  } finally {
    client.close();
  }
}

/** Rejects with JoinError and DiskError. */
async function readKept(disk: Disk): Promise<Joined | undefined> {
  try {
    return await readJoined(disk);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new JoinError('JOINED_UNREADABLE',
      `the file ${JOINED_FILE} in the data directory, which says who this member is, cannot be read (${error.message}): put it back. ` +
        'If it is lost, remove this member (kintsugi ctl member remove) and add a new one with an empty data directory');
  }
}
