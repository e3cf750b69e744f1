/**
 * The log, judged by a version of the tree: damage up to its flushed index is of no consequence,
 * because tables have it. What is damaged behind it is taken from the other members, which are
 * given what is here meanwhile.
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Version } from '../../storage/version/version.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import { DamagedLog } from '../log/damaged-log.js';
import { DurableLog, type OpenedLog } from '../log/durable-log.js';
import type { LogOptions } from '../log/log-options.js';
import { MendingLog } from '../log-recovery/mending-log.js';
import { LogServer } from '../log-recovery/log-server.js';
import { pauseOf, type Outlook } from '../log-recovery/outlook.js';
import { OpeningLog, type KnownLog } from '../log-recovery/opening-log.js';
import type { MembersAsOf } from '../log-recovery/configurations.js';
import { LOG_DAMAGED, LogRecovery } from '../log-recovery/recover-log.js';
import { WholeLog } from '../log-recovery/whole-log.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import { untilRoom } from '../state/until-room.js';
import type { EarlyHandler } from './early-handler.js';
import { KnownPeers } from '../log-recovery/known-peers.js';
import { membersAtRest } from './members-at-rest.js';

export interface LogOpenerParts {
  readonly env: Env;
  readonly life: Life;
  readonly membership: Membership;
  readonly early: EarlyHandler;
  readonly hardState: HardStateStore;
  readonly clusterId: bigint;
  readonly segmentBytes: number;
  /** That hard state held at the start: this member has acknowledged nothing in a later one. */
  readonly term: Term;
  readonly outlook: Outlook | undefined;
}

export const LOG_MOVED = 'the log cannot be written to where it ends: it goes on in a fresh segment';

/** A log is mended so often, and damaged again, before this start is given up. */
const MAX_TIMES = 8;

type By = Pick<Version, 'flushed'>;

export class LogOpener {
  readonly #parts: LogOpenerParts;
  #lastIndex: LogIndex = 0;

  constructor(parts: LogOpenerParts) {
    this.#parts = parts;
  }

  /** Of any log that was found here, holes included. */
  get lastIndex(): LogIndex {
    return this.#lastIndex;
  }

  /**
   * `knownCommit`: committed whatever the log says; 0: not known. Rejects with LogError
   * ENTRY_FAULTY, and WRITE_FAILED if it cannot be written to wherever it goes on, and DiskError.
   */
  async open(by: By, knownCommit: LogIndex): Promise<OpenedLog> {
    for (let times = 0; ; times++) {
      const found = await DurableLog.examine(this.#parts.env, { ...this.#options(by, knownCommit), keepsGap: true });
      if (!(found instanceof DamagedLog)) return found;
      if (!found.isWhole || found.error.code !== 'WRITE_FAILED' || times >= MAX_TIMES) throw found.error;
      await this.#move(found);
    }
  }

  /**
   * As `open`, but resolves when the log is whole, and on a full disk when there is room: what is
   * damaged is taken from the others. `here`: the version, if its tables are those that lie here.
   */
  async openMended(by: By, knownCommit: LogIndex, here?: Version): Promise<OpenedLog> {
    const { env, membership } = this.#parts;
    let known: MembersAsOf | undefined;
    let keepsTorn = true;
    // If the others have dropped those entries, a version of theirs is asked for.
    let fillsGap = here !== undefined && membership.peers.length > 0;
    for (let times = 0; ; times++) {
      const options = { ...this.#options(by, knownCommit), keepsTorn, fillsGap };
      const found = await this.#whenRoom(() => DurableLog.examine(env, options));
      if (!(found instanceof DamagedLog)) return found;
      // More goes bad than can be mended.
      if (times >= MAX_TIMES) throw found.error;
      if (times === 0) known = this.#members(by, here);
      this.#lastIndex = Math.max(this.#lastIndex, found.lastIndex);
      if (!found.isWhole) {
        await this.#mend(found, known, here);
        fillsGap = false;
      } else if (found.error.code === 'WRITE_FAILED') {
        await this.#move(found);
      } else {
        keepsTorn = false;
        if (membership.peers.length > 0) await this.#askTail(found, known);
      }
    }
  }

  /** Where it ends it cannot be written to any more: it goes on in a fresh segment. */
  async #move(unwritable: DamagedLog): Promise<void> {
    this.#parts.env.events.emit({ type: 'warning', message: LOG_MOVED, data: { why: unwritable.error.message } });
    const log = new MendingLog(unwritable);
    await this.#whenRoom(() => log.write());
  }

  /** C1 What was taken from the others is not asked for again because the disk is full. */
  #whenRoom<T>(step: () => Promise<T>): Promise<T> {
    const { env, outlook } = this.#parts;
    return untilRoom(env, step, undefined, (ms) => pauseOf(env, outlook, ms));
  }

  /** Once: nobody is waited for. */
  async #askTail(torn: DamagedLog, known: MembersAsOf | undefined): Promise<void> {
    const { env, membership, early, hardState, term, clusterId } = this.#parts;
    const entries = await torn.torn(term);
    if (entries.length === 0) return;
    await early.listen();
    const peers = new KnownPeers(env, membership, clusterId);
    const recovery = new LogRecovery(torn, { env, membership: peers, hardState, bound: term, known, outlook: undefined });
    if (await recovery.askTail(entries)) await recovery.run();
  }

  /**
   * Undefined: that cannot be told here. R6 Before the log has said otherwise, they are those that
   * the cluster began with.
   */
  #members({ flushed }: By, here: Version | undefined): MembersAsOf | undefined {
    const { env, membership } = this.#parts;
    if (flushed.index === 0) return { index: 0, members: membership.origin };
    const known = here && membersAtRest(env.disk, here, membership);
    env.network.setPeers(membership.addresses, membership.removed);
    return known;
  }

  async #mend(damaged: DamagedLog, known: MembersAsOf | undefined, version: Version | undefined): Promise<void> {
    const { env, life, membership, early, hardState, term, clusterId, outlook } = this.#parts;
    const peers = new KnownPeers(env, membership, clusterId);
    await peers.readLog();
    // Nobody else can have it.
    if (peers.peers.length === 0) throw damaged.error;
    env.events.emit({ type: 'warning', message: LOG_DAMAGED, data: { why: damaged.error.message, ...damaged.error.data } });
    life.to({ s: 'recovering', why: damaged.error.message });
    await early.listen();
    const recovery = new LogRecovery(damaged, { env, membership: peers, hardState, bound: term, known, outlook });
    outlook?.offer({ version, log: damaged, term: hardState.current?.term ?? 0, recovery });
    this.#serve(recovery.log);
    try {
      await recovery.run();
    } finally {
      early.endLog();
    }
  }

  /** Others are given what is in it, until `endService`. */
  serve({ log }: OpenedLog): void {
    this.#serve(new WholeLog(log));
  }

  endService(): void {
    this.#parts.early.endLog();
  }

  #serve(log: KnownLog): void {
    const { membership, early, hardState, term } = this.#parts;
    early.serveLog(new LogServer(new OpeningLog(log, { membership, hardState, wasInTerm: term > 0 })));
  }

  #options({ flushed }: By, knownCommit: LogIndex): LogOptions {
    assert(knownCommit === 0 || flushed.index <= knownCommit, `S1 tables hold what was committed: ${flushed.index} of ${knownCommit}`);
    return { segmentBytes: this.#parts.segmentBytes, flushedIndex: flushed.index, flushedTerm: flushed.term, knownCommit };
  }
}
