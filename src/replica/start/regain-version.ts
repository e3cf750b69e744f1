/**
 * A member whose manifest cannot be read, or ends before its log begins, still has its promises,
 * but not the tables that its log goes on from. It takes the durable version of a peer, as if it
 * were a snapshot: the tables that it lacks first, then the manifest, the log last.
 *
 * R2 R6: only a version whose flushed index is at or after the start of its log. With an earlier
 * one entries would be missing in between which it has acknowledged. What is damaged behind that
 * index is taken from the others. A log that begins with the first entry needs no tables, and no
 * peer.
 */

import { assert } from '../../base/assert.js';
import { sleep, type Env } from '../../base/env.js';
import { messageOf } from '../../base/errors.js';
import { formatId, type NodeId } from '../../base/ids.js';
import { Tree } from '../../storage/tree/tree.js';
import { Version } from '../../storage/version/version.js';
import type { ManifestStore } from '../../storage/version/manifest-store.js';
import { removedError } from '../base/removed.js';
import type { EarlyHandler } from './early-handler.js';
import { TableFetcher } from '../fetch/table-fetcher.js';
import { TableServer } from '../fetch/table-server.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { OpenedLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';
import { giveUpReserve } from '../state/reserve.js';
import { isNoSpace } from '../state/room.js';
import type { KnownPeers } from '../log-recovery/known-peers.js';
import { goingOn } from './going-on.js';
import { LeftTables, servingTables } from './left-tables.js';
import type { LogOpener } from './log-opener.js';
import { askForVersions, newest, type PeerVersions } from '../snapshot/peer-versions.js';
import { SnapshotReceiver } from '../snapshot/snapshot-receiver.js';

export const VERSION_LOST = 'the version here is lost: the peers are asked for theirs';
export const VERSION_REGAINED = 'the version here was lost: that of a peer is used';

export interface RegainParts {
  readonly env: Env;
  readonly membership: Pick<KnownPeers, 'self' | 'peers' | 'isNamed' | 'askWho'>;
  readonly early: EarlyHandler;
  readonly hardState: HardStateStore;
  /** Where the peer's version goes. */
  readonly store: ManifestStore;
  /** What is wrong with the version here. */
  readonly cause: Error;
  /** Without a peer that answers it is of no use to begin. */
  readonly needsPeer: boolean;
  /** Its log, judged by a version. */
  readonly logs: Pick<LogOpener, 'open' | 'openMended' | 'serve' | 'endService'>;
}

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 5_000;
/**
 * Rounds in which peers that cannot be asked are waited for: one of them may have a later version,
 * behind which less of the log is damaged. Then what there is has to do, as they may never come: a
 * log that has everything without any version, and what is damaged behind one that fits is taken
 * from the others.
 */
const PATIENCE_ROUNDS = 4;

/**
 * Resolves with the log when a version is durable. Rejects with `cause` if nobody could ever give
 * one, and with ReplicaError REMOVED.
 */
export async function regainVersion(parts: RegainParts): Promise<OpenedLog> {
  const { env, membership, cause } = parts;
  env.events.emit({ type: 'warning', message: VERSION_LOST, data: { why: cause.message } });
  const judged = new JudgedLog(parts);
  let pauseMs = FIRST_PAUSE_MS;
  try {
    // Before anybody has a version: they may wait for what is in this log.
    if (!parts.needsPeer) await unlessFull(env, () => judged.by(Version.empty(), false));
    for (let round = 0; ; round++) {
      await membership.askWho();
      const { peers } = membership;
      const versions = await askForVersions(env, peers);
      const who = versions.removedBy.find((peer) => membership.isNamed(peer));
      if (who !== undefined) throw removedError(membership.self, `member ${formatId(who)} says so`);
      const all = versions.answered === peers.length;
      const fits = ({ manifest }: Offered): boolean => judged.mayFit(manifest);
      const patient = all || (round >= PATIENCE_ROUNDS && (versions.answered > 0 || !parts.needsPeer));
      const version = newest(versions.found, (manifest) => judged.mayFit(manifest)) ?? fromNothing(versions, patient);
      const taken = await unlessFull(env, async () => {
        if (version === undefined || !fits(version)) return undefined;
        const { manifest } = version;
        const opened = await servingTables(env, membership, parts.early, manifest, () => judged.by(manifest, patient));
        return opened && fits(version) && (await take(parts, opened, version)) ? opened : undefined;
      });
      if (taken !== undefined) {
        // From here on the log changes: the replica speaks for it.
        parts.logs.endService();
        return taken;
      }
      if (peers.length === 0) throw cause;
      await sleep(env.clock, pauseMs);
      pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS);
    }
  } catch (error) {
    await judged.close();
    throw error;
  }
}

/** C1 Undefined on a full disk, too: then what was kept for that is free, and it is tried again. */
async function unlessFull<T>(env: Env, work: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    await giveUpReserve(env.disk);
    env.events.emit({ type: 'warning', message: 'there is no room on the disk for the version of another member', data: { why: messageOf(error) } });
    return undefined;
  }
}

interface Offered {
  /** Undefined: a log that has everything needs no tables. */
  readonly from: NodeId | undefined;
  readonly manifest: Version;
}

/**
 * Nobody who can be asked has flushed anything: a log that begins with the first entry has all that
 * there is.
 */
function fromNothing({ found }: PeerVersions, patient: boolean): Offered | undefined {
  return found.length === 0 && patient ? { from: undefined, manifest: Version.empty() } : undefined;
}

/**
 * The log as a version judges it. It stays open between attempts: to open it is to read all of it.
 */
class JudgedLog {
  readonly #parts: RegainParts;
  #opened: OpenedLog | undefined;
  /** The flushed index of the version that judged it. */
  #flushed = 0;
  /** The least flushed index of a version that fits; 0 while that is not known. */
  #least = 0;

  constructor(parts: RegainParts) {
    this.#parts = parts;
  }

  mayFit({ flushed }: Version): boolean {
    return flushed.index >= this.#least;
  }

  /**
   * Undefined: it is damaged behind the flushed index, and unless this is `final` a peer that did
   * not answer is waited for, which may have a version with a later one.
   */
  async by({ flushed }: Version, final: boolean): Promise<OpenedLog | undefined> {
    // What was sound behind an earlier flushed index is so behind a later one.
    if (this.#opened !== undefined && this.#flushed <= flushed.index) return this.#opened;
    await this.close();
    try {
      this.#opened = await (final ? this.#parts.logs.openMended({ flushed }, 0) : this.#parts.logs.open({ flushed }, 0));
    } catch (error) {
      if (final || !(error instanceof LogError && error.code === 'ENTRY_FAULTY')) throw error;
      return undefined;
    }
    this.#parts.logs.serve(this.#opened);
    this.#flushed = flushed.index;
    this.#least = this.#opened.log.firstIndex() - 1;
    assert(this.#least >= 0, `R3 the log begins with entry ${this.#least + 1}`);
    return this.#opened;
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened !== undefined) this.#parts.logs.endService();
    await opened?.log.close();
  }
}

async function take(parts: RegainParts, { log }: OpenedLog, { from, manifest }: Offered): Promise<boolean> {
  const { env, hardState, store } = parts;
  const { flushed, last } = manifest;
  const use = async (): Promise<boolean> => {
    assert(flushed.index >= log.firstIndex() - 1, `R2 R6 the log goes on from the version at ${flushed.index}: it begins with ${log.firstIndex()}`);
    const { term = 0 } = hardState.current ?? {};
    if (flushed.term > term) await hardState.update({ term: flushed.term });
    await goingOn(env, () => log.expectSnapshot(last.index));
    await store.replace(manifest);
    env.events.emit({ type: 'warning', message: VERSION_REGAINED, data: { from: from ?? 0, flushed: flushed.index, last: last.index } });
    return true;
  };
  return from === undefined ? use() : obtain(parts, from, manifest, use);
}

/**
 * Whatever of it lies here already, under its own name, is verified and kept. Meanwhile peers may
 * have it too: what they give may lack the very blocks that only this member has.
 */
async function obtain(
  { env, membership, early }: RegainParts, from: NodeId, manifest: Version, use: () => Promise<boolean>,
): Promise<boolean> {
  const left = new LeftTables(env, membership, manifest);
  const { tables } = left;
  const tree = new Tree({ disk: env.disk, tables, durable: Version.empty() });
  const receiver = new SnapshotReceiver({ env, membership, tree, tables, fetcher: new TableFetcher(env), raft: undefined });
  early.serveTables(new TableServer(env, left));
  try {
    return await receiver.obtain(from, manifest, use);
  } finally {
    early.endTables();
    receiver.stop();
    left.close();
  }
}
