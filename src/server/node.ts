/**
 * One member inside this process, without gRPC for clients: what an application embeds and what
 * `kintsugi start` serves. Here the real disk, clock and network meet the same Replica that the
 * simulator runs.
 */

import { acquiring } from '../base/acquiring.js';
import { Deferred } from '../base/deferred.js';
import type { Env } from '../base/env.js';
import type { EventSink } from '../base/events.js';
import { openMember, type Member } from '../node/open-member.js';
import type { Store } from '../node/store.js';
import { WaitingMember } from '../node/waiting-member.js';
import { WaitingStore } from '../node/waiting-store.js';
import { ReplicaError } from '../replica/base/errors.js';
import { afterRefusal } from '../replica/start/after-refusal.js';
import type { Outlook } from '../replica/log-recovery/outlook.js';
import type { Identity } from '../replica/state/joined.js';
import { EventBus } from './env/event-bus.js';
import { nodeClock, NodeRandom, NodeWorkers } from './env/node-env.js';
import { NodeDisk } from './node-disk.js';
import { identityOf } from './join.js';
import type { NodeConfig } from './options/config.js';
import { PeerNetwork } from './peer-network.js';
import { hostPort, isSecure } from './peer/peer-url.js';
import { SwitchedStore } from './switched-store.js';
import { fixturesOf, PortTls } from './tls/open.js';

export interface NodeHooks {
  /** They hear of everything that happens inside. */
  readonly events?: readonly EventSink[];
  /**
   * The node cannot go on: stop it and end. Called once. Where {@link isOpenedAgain}, it comes back
   * by itself once it is stopped and opened again.
   */
  readonly onFatal: (error: unknown) => void;
}

export class OpenedNode {
  readonly store: Store;
  readonly #opening: Opening;
  readonly #disk: NodeDisk;
  /** Undefined while it waits for entries of its log. */
  #member: Member | undefined;
  #stopping = false;

  private constructor(store: Store, opening: Opening, disk: NodeDisk) {
    this.store = store;
    this.#opening = opening;
    this.#disk = disk;
  }

  static serving(member: Member, opening: Opening, disk: NodeDisk): OpenedNode {
    const node = new OpenedNode(member.store, opening, disk);
    node.#member = member;
    return node;
  }

  /** Its store is another one once it takes part; `onFatal` is told if it never does. */
  static waiting(store: Store, opening: Opening, disk: NodeDisk, hooks: NodeHooks): OpenedNode {
    const switched = new SwitchedStore(store);
    const node = new OpenedNode(switched.store, opening, disk);
    opening.member.then(
      (member) => {
        node.#member = member;
        switched.use(member.store);
        opening.waiting.close();
      },
      (error: unknown) => {
        if (!node.#stopping) hooks.onFatal(error);
      },
    );
    return node;
  }

  /**
   * Before an orderly stop: clients then see a transfer of milliseconds instead of an election.
   * True if another member leads now, or did all along.
   */
  transferLeadership(): Promise<boolean> {
    return this.#member?.replica.transferLeadership() ?? Promise.resolve(true);
  }

  /** Leadership should have been handed over before. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const { outlook } = this.#opening.waiting;
    outlook.abandon();
    const member = await this.#opening.member.catch(() => undefined);
    await member?.replica.stop();
    this.#opening.waiting.close();
    await this.#disk.close();
  }
}

/**
 * Opens the data directory, joins the others and serves; resolves earlier if the member waits for
 * entries of its log (`WaitingStore`). Rejects as `openMember` and `Replica.start` do, and with
 * JoinError, and DiskError LOCKED; nothing is open then, and nobody is answered. A member that is
 * to be re-admitted is opened again under the identity that it gets.
 */
export async function openNode(config: NodeConfig, hooks: NodeHooks): Promise<OpenedNode> {
  return acquiring(async (keep) => {
    const disk = keep(await NodeDisk.open(config.dataDir));
    for (;;) {
      const opening = begin(config, hooks, disk);
      try {
        const first = await Promise.race([opening.member, opening.waiting.store]);
        if (first instanceof WaitingStore) return OpenedNode.waiting(first, opening, disk, hooks);
        return OpenedNode.serving(first, opening, disk);
      } catch (error) {
        if (!isOpenedAgain(error)) throw error;
      }
    }
  });
}

/** The member ended only to go on under another identity. */
export function isOpenedAgain(error: unknown): boolean {
  return error instanceof ReplicaError && error.code === 'READMISSION';
}

/** A start that is under way. */
interface Opening {
  readonly member: Promise<Member>;
  readonly waiting: WaitingMember;
}

function begin(config: NodeConfig, hooks: NodeHooks, disk: NodeDisk): Opening {
  const identity = new Deferred<Identity>();
  const workers = new NodeWorkers();
  const waiting = new WaitingMember({ disk, workers }, identity.promise.then((own) => ({ ...own, maxTxnOps: config.maxTxnOps })));
  return { waiting, member: openOnce(config, hooks, { disk, workers, identity, outlook: waiting.outlook }) };
}

interface Start {
  readonly disk: NodeDisk;
  readonly workers: NodeWorkers;
  /** To be told. */
  readonly identity: Deferred<Identity>;
  readonly outlook: Outlook;
}

function openOnce(config: NodeConfig, hooks: NodeHooks, start: Start): Promise<Member> {
  const { disk, workers, outlook } = start;
  return acquiring(async (keep) => {
    const bus = new EventBus(hooks.events ?? []);
    const tls = keep(await peerTls(config, bus));
    const own = { disk, clock: nodeClock, random: new NodeRandom(), events: bus };
    const { memberId: self, clusterId, autoRecover } = config;
    const identity = await identityOf(config, disk, tls.client, bus).catch(async (error: unknown) => {
      throw await afterRefusal({ env: own, self, clusterId, autoRecover }, error);
    });
    start.identity.resolve(identity);
    const network = peerNetwork(config, identity, bus, tls);
    const env: Env = { ...own, network, workers };
    const member = await openMember(env, {
      ...identity,
      outlook,
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
      maxTxnOps: config.maxTxnOps,
      authTokenTtlMs: config.authTokenTtlMs,
      watch: { progressNotifyMs: config.progressNotifyMs },
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
