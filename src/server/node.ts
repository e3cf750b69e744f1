/**
 * One member inside this process, without gRPC for clients: what an application embeds and what
 * `kintsugi start` serves. Here the real disk, clock and network meet the same Replica that the
 * simulator runs.
 */

import { acquiring } from '../base/acquiring.js';
import type { Env } from '../base/env.js';
import type { EventSink } from '../base/events.js';
import { openMember, type Member } from '../node/open-member.js';
import type { Store } from '../node/store.js';
import { ReplicaError } from '../replica/base/errors.js';
import type { Identity } from '../replica/state/joined.js';
import { EventBus } from './env/event-bus.js';
import { nodeClock, NodeRandom, NodeWorkers } from './env/node-env.js';
import { NodeDisk } from './node-disk.js';
import { identityOf } from './join.js';
import type { NodeConfig } from './options/config.js';
import { PeerNetwork } from './peer-network.js';
import { hostPort, isSecure } from './peer/peer-url.js';
import { fixturesOf, PortTls } from './tls/open.js';

export interface NodeHooks {
  /** They hear of everything that happens inside. */
  readonly events?: readonly EventSink[];
  /** The node cannot go on: stop it and end. Called once. */
  readonly onFatal: (error: unknown) => void;
}

export class OpenedNode {
  readonly #member: Member;
  readonly #disk: NodeDisk;

  constructor(member: Member, disk: NodeDisk) {
    this.#member = member;
    this.#disk = disk;
  }

  get store(): Store {
    return this.#member.store;
  }

  /**
   * Before an orderly stop: clients then see a transfer of milliseconds instead of an election.
   * True if another member leads now, or did all along.
   */
  transferLeadership(): Promise<boolean> {
    return this.#member.replica.transferLeadership();
  }

  /** Leadership should have been handed over before. */
  async stop(): Promise<void> {
    await this.#member.replica.stop();
    await this.#disk.close();
  }
}

/**
 * Opens the data directory, joins the others and serves. Rejects as `openMember` and
 * `Replica.start` do, and with JoinError, and DiskError LOCKED; nothing is open then, and nobody is
 * answered. A member that is to be re-admitted is opened again under the identity that it gets.
 */
export async function openNode(config: NodeConfig, hooks: NodeHooks): Promise<OpenedNode> {
  return acquiring(async (keep) => {
    const disk = keep(await NodeDisk.open(config.dataDir));
    for (;;) {
      try {
        return new OpenedNode(await openOnce(config, hooks, disk), disk);
      } catch (error) {
        if (!(error instanceof ReplicaError && error.code === 'READMISSION')) throw error;
      }
    }
  });
}

function openOnce(config: NodeConfig, hooks: NodeHooks, disk: NodeDisk): Promise<Member> {
  return acquiring(async (keep) => {
    const bus = new EventBus(hooks.events ?? []);
    const tls = keep(await peerTls(config, bus));
    const identity = await identityOf(config, disk, tls.client);
    const network = peerNetwork(config, identity, bus, tls);
    const env: Env = { clock: nodeClock, random: new NodeRandom(), disk, network, workers: new NodeWorkers(), events: bus };
    const member = await openMember(env, {
      ...identity,
      strictReconfig: config.strictReconfig,
      autoRecover: config.autoRecover,
      clientUrls: config.advertiseClientUrls,
      settings: config.settings,
      heartbeatMs: config.heartbeatMs,
      electionMs: config.electionMs,
      logSegmentBytes: config.logSegmentBytes,
      cacheBytes: config.cacheBytes,
      transferBytesPerSecond: config.transferBytesPerSecond,
      quotaBytes: config.quotaBytes,
      authTokenTtlMs: config.authTokenTtlMs,
      autoCompaction: config.autoCompaction,
      onFatal: hooks.onFatal,
    });
    keep({ close: () => member.replica.stop() });
    await member.replica.start();
    return member;
  });
}

/** Made also where nothing is listened on with TLS: other members may be found at `https:`. */
function peerTls({ tls, dataDir, listenPeerUrls, advertisePeerUrl }: NodeConfig, events: EventSink): Promise<PortTls> {
  const own = tls.auto.peer ? { dir: fixturesOf(dataDir, 'peer'), urls: [...listenPeerUrls, advertisePeerUrl], days: tls.auto.days } : undefined;
  return PortTls.open({ settings: tls.peer, own, clock: nodeClock, events });
}

function peerNetwork(config: NodeConfig, { self, clusterId, members, joins }: Identity, events: EventSink, tls: PortTls): PeerNetwork {
  const peers = (joins.length > 0 ? joins : members).filter(({ id }) => id !== self);
  return new PeerNetwork({
    self,
    clusterId,
    url: config.advertisePeerUrl,
    peers: new Map(peers.map((member) => [member.id, member.peerUrls[0] ?? ''])),
    listen: config.listenPeerUrls.map((url) => (isSecure(url) ? url : hostPort(url))),
    tls,
    skipsSan: config.tls.skipsPeerSan,
    clock: nodeClock,
    random: new NodeRandom(),
    events,
    silentMs: config.electionMs,
    limits: { frameBytes: config.limits.peerMessage, queueBytes: config.limits.peerQueue },
  });
}
