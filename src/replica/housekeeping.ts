/**
 * What is looked at now and then while a member serves: time-outs, what is due of a leader's work,
 * what may have been lost on the way, what may go. Nothing here is needed for safety, and
 * everything may be late.
 */

import type { Env, Timer } from '../base/env.js';
import type { Applier } from './apply/applier.js';
import type { AlarmKeeper } from './consensus/alarm-keeper.js';
import type { ClusterVersionRaiser } from './consensus/cluster-version.js';
import type { Gossip } from './consensus/gossip.js';
import type { Proposals } from './consensus/proposals.js';
import type { RaftDriver } from './consensus/raft-driver.js';
import type { Downgrades } from './downgrades.js';
import type { MemberChanges } from './member-changes.js';
import type { RoomNews } from './consensus/room-news.js';
import { transferWhenBlocked, transferWhenShort } from './leadership-transfer.js';
import type { TransferPace } from './fetch/transfer-pace.js';
import type { HardStatePatrol } from './hard-state/hard-state-patrol.js';
import type { LeaseRouter } from './lease/lease-router.js';
import type { Readmissions } from './readmissions.js';
import type { Reads } from './reads/reads.js';
import type { ReplicatedState } from './kv/replicated-state.js';
import type { LogTruncation } from './snapshot/log-truncation.js';
import type { VersionSwitch } from './snapshot/version-switch.js';
import type { SnapshotSender } from './snapshot/snapshot-sender.js';
import type { Announcement } from './start/announcement.js';
import type { Bootstrap } from './start/bootstrap.js';
import type { PromisesStore } from './start/promises-store.js';
import type { Leadership } from './state/leadership.js';
import type { Life } from './state/life.js';
import type { Membership } from './state/membership.js';
import type { Room } from './state/room.js';
import type { Sweeper } from './tree/sweep.js';
import type { TreeMachine } from './tree/tree-machine.js';

export interface HousekeepingParts {
  readonly env: Env;
  readonly life: Life;
  readonly electionMs: number;
  readonly leadership: Leadership;
  readonly membership: Pick<Membership, 'peers' | 'removed'>;
  readonly state: Pick<ReplicatedState, 'tokens' | 'kv'>;
  readonly driver: RaftDriver;
  readonly proposals: Proposals;
  readonly gossip: Gossip;
  readonly reads: Reads;
  readonly applier: Applier;
  readonly machine: TreeMachine;
  readonly sender: SnapshotSender;
  readonly truncation: LogTruncation;
  readonly sweeper: Sweeper;
  readonly bootstrap: Bootstrap;
  readonly announcement: Announcement;
  readonly clusterVersion: ClusterVersionRaiser;
  readonly downgrades: Pick<Downgrades, 'tick'>;
  readonly memberChanges: MemberChanges;
  readonly readmissions: Readmissions;
  readonly room: Room;
  readonly rooms: RoomNews;
  readonly alarms: AlarmKeeper;
  readonly leaseRouter: Pick<LeaseRouter, 'step'>;
  readonly versionSwitch: Pick<VersionSwitch, 'busy' | 'rebuild'>;
  readonly pace: Pick<TransferPace, 'look'>;
  readonly patrol: Pick<HardStatePatrol, 'tick'>;
  readonly promises: Pick<PromisesStore, 'tick'>;
}

const STEP_MS = 50;
const SECOND_MS = 1_000;
export const REBUILT = 'what members flushed differs, and does so when they do it again: memtables are made anew from the log';

export class Housekeeping {
  readonly #parts: HousekeepingParts;
  #timer: Timer | undefined;
  /** When it last was time for what is done once a second, however often gossip is said. */
  #secondAt = 0;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  start(): void {
    const { env, life, pace, driver } = this.#parts;
    const due = env.clock.now() + STEP_MS;
    this.#timer = env.clock.setTimer(STEP_MS, () => {
      if (life.ended) return;
      try {
        pace.look(env.clock.now() - due, driver.writes.diskTimes, () => env.workers.idleProcessors?.());
        this.#step();
      } catch (error) {
        life.fail(error);
        return;
      }
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #step(): void {
    const { env, leadership, proposals, reads, machine, sender, bootstrap, announcement, gossip, leaseRouter } = this.#parts;
    gossip.tick();
    proposals.tick();
    reads.tick();
    leaseRouter.step();
    if (sender.takeNewerWanted()) machine.planner.sealEarly();
    machine.planner.step();
    bootstrap.tick();
    if (leadership.leader !== 0) announcement.tick();
    this.#rebuildDoubted();
    const now = env.clock.now();
    if (now - this.#secondAt < SECOND_MS) return;
    this.#secondAt = now;
    this.#eachSecond();
  }

  /** S6 A member whose memtable may be another one than the log leads to makes it anew. */
  #rebuildDoubted(): void {
    const { env, life, machine, versionSwitch } = this.#parts;
    const { doubted } = machine.executor;
    if (doubted === undefined || !life.serving || versionSwitch.busy) return;
    env.events.emit({ type: 'warning', message: REBUILT, data: { seal: doubted } });
    versionSwitch.rebuild().catch((error: unknown) => life.fail(error));
  }

  #eachSecond(): void {
    const { env, life, state, driver, gossip, clusterVersion, downgrades, memberChanges, readmissions, rooms, alarms } = this.#parts;
    const { machine, sender, truncation, sweeper, patrol, promises, membership } = this.#parts;
    rooms.say();
    alarms.tick();
    state.tokens.tick(env.clock.now());
    transferWhenShort(this.#parts);
    gossip.say();
    clusterVersion.tick();
    downgrades.tick();
    memberChanges.tick();
    readmissions.tick();
    for (const peer of sender.tick(driver.node.status().progress)) driver.reportSnapshot(peer, false);
    machine.resend();
    transferWhenBlocked(this.#parts);
    sweeper.tick(env.clock.now());
    patrol.tick(env.clock.now());
    promises.tick(membership, state.kv);
    truncation.run().catch((error: unknown) => life.fail(error));
  }
}
