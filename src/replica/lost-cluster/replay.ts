/**
 * The state that the sound part of a directory leads to: its tables, and the entries of its log
 * behind them, applied in memory. Nothing is written.
 *
 * S1 An entry that cannot be had, or that needs a block which cannot be read, ends it: what follows
 * would lead elsewhere without it. Ops of the tree are passed over: they change no key, and the
 * shape of the tree begins anew.
 */

import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import { drive } from '../../base/drive.js';
import type { Workers } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { EventSink } from '../../base/events.js';
import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { StorageError } from '../../storage/base/errors.js';
import { noFaults, type BlockFaults } from '../../storage/table/block-faults.js';
import { TableStore } from '../../storage/table/table-store.js';
import { Tree } from '../../storage/tree/tree.js';
import { NOBODY } from '../auth/principal.js';
import { applyMemberEntry } from '../apply/member-entries.js';
import { applyVersionEntry, isAllowed } from '../apply/version-entries.js';
import { ReplicaError } from '../base/errors.js';
import { decodeLogRecord, type KvRecord, type LogRecord } from '../entry/entry.js';
import { ReplicatedState } from '../kv/replicated-state.js';
import { Membership } from '../state/membership.js';
import type { Directory } from './directory.js';
import { LostClusterError } from './errors.js';
import { TouchedKeys } from './touched-keys.js';

const CACHE_BYTES = 64 * 1024 * 1024;
const SILENT: EventSink = { emit: () => undefined };

export interface Stop {
  /** The first entry that is not in the state although it was in the log. */
  readonly index: LogIndex;
  readonly why: string;
}

/** Blocks that a member had from others while it lived, and keeps. */
export type Repairs = Pick<BlockFaults, 'patch'>;

export interface ReplayOptions {
  /** Entries up to here. Default: all. */
  readonly through?: LogIndex;
  /** Those with whom the log began; it follows the entries. Default: not known. */
  readonly membership?: Membership;
  /** Default: none. */
  readonly repairs?: Repairs;
}

export class Replay {
  readonly directory: Directory;
  readonly tree: Tree;
  readonly state: ReplicatedState;
  readonly membership: Membership;
  /** Keys of entries that are kept and were not known to be committed. */
  readonly unsure = new TouchedKeys();
  /** Keys of entries that can be read and are not in the state, because one before them is lost. */
  readonly lost = new TouchedKeys();
  readonly #tables: TableStore;
  readonly #workers: Workers;
  #index: LogIndex;
  #stop: Stop | undefined;
  readonly #through: LogIndex;
  #soundBehind = 0;

  private constructor(disk: Disk, workers: Workers, directory: Directory, { through, membership, repairs }: Required<ReplayOptions>) {
    const { version } = directory;
    this.directory = directory;
    this.#through = through;
    this.#workers = workers;
    this.#tables = new TableStore(disk, new BlockCache(CACHE_BYTES), { ...noFaults, patch: (meta, offset) => repairs.patch(meta, offset) });
    this.tree = new Tree({ disk, tables: this.#tables, durable: version });
    this.membership = membership;
    this.state = new ReplicatedState(this.tree, undefined, undefined, this.membership);
    this.#index = version.flushed.index;
  }

  /**
   * Rejects with LostClusterError STATE_LOST, NOTHING_HERE, ReplicaError CLUSTER_NEWER, DiskError.
   */
  static async run(disk: Disk, workers: Workers, directory: Directory, options: ReplayOptions = {}): Promise<Replay> {
    const { through = directory.log.lastIndex, membership = alone(directory), repairs = noFaults } = options;
    const replay = new Replay(disk, workers, directory, { through, membership, repairs });
    try {
      replay.#load();
      await replay.#run();
      if (replay.state.settings !== undefined) return replay;
      if (replay.stop !== undefined) {
        throw new LostClusterError('STATE_LOST',
          `${replay.stop.why}, before a cluster has begun: nothing behind it can be carried out. Restore a backup (kintsugi restore)`);
      }
      throw new LostClusterError('NOTHING_HERE', 'the log ends before a cluster has begun: there is nothing here to go on with');
    } catch (error) {
      replay.close();
      throw error;
    }
  }

  /** Up to here all is in the state. */
  get index(): LogIndex {
    return this.#index;
  }

  /** Of the entry at `index`. */
  get term(): Term {
    const { log, version } = this.directory;
    return this.#index === version.flushed.index ? version.flushed.term : log.term(this.#index);
  }

  /** Known to be committed up to here; what follows may be, or not. */
  get committed(): LogIndex {
    const { log, version } = this.directory;
    return Math.max(log.commit, version.last.index);
  }

  /** Undefined: all that the log has is in the state. */
  get stop(): Stop | undefined {
    return this.#stop;
  }

  /** Entries that can be read and are not in the state. */
  get soundBehind(): number {
    return this.#soundBehind;
  }

  close(): void {
    this.#tables.close();
  }

  #load(): void {
    try {
      this.state.load(this.directory.version.flushed.index);
    } catch (error) {
      if (codeOf(error) === 'CLUSTER_NEWER' || codeOf(error) === undefined) throw error;
      throw new LostClusterError('STATE_LOST', `the state in the tables cannot be read: ${messageOf(error)}. Restore a backup (kintsugi restore)`, {}, error);
    }
  }

  async #run(): Promise<void> {
    const { log } = this.directory;
    while (this.#index < this.#through) {
      const why = await this.#next(this.#index + 1);
      if (why !== undefined) {
        this.#stop = { index: this.#index + 1, why };
        return this.#lookBehind();
      }
      this.#index++;
      await this.#workers.breathe();
    }
    if (log.endsOpen) this.#stop = { index: this.#index + 1, why: log.error.message };
  }

  /** Undefined: it is applied. */
  async #next(index: LogIndex): Promise<string | undefined> {
    const { log } = this.directory;
    const entry = await log.read(index);
    if (entry === undefined) return `log entry ${index} is damaged or missing`;
    assert(entry.index === index, `R3 entry ${index} is read, not ${entry.index}`);
    try {
      await this.#apply(entry);
    } catch (error) {
      if (error instanceof StorageError) return `log entry ${index} needs a block that cannot be read: ${messageOf(error)}`;
      if (codeOf(error) === 'ENTRY_DAMAGED') return `log entry ${index} is not what its proposer made`;
      if (codeOf(error) === 'ENTRY_UNKNOWN') throw tooOld(index, messageOf(error), error);
      throw error;
    }
    if (index > this.committed) this.unsure.add(entry);
    return undefined;
  }

  async #apply(entry: Entry): Promise<void> {
    const { state, membership } = this;
    if (entry.type !== 'normal') {
      const why = applyMemberEntry({ env: { events: SILENT }, log: { reread: () => entry }, membership, state }, entry);
      if (why !== undefined) throw tooOld(entry.index, why);
      return;
    }
    if (entry.data.length > 0) await this.#carryOut(entry.index, decodeLogRecord(entry.data));
  }

  async #carryOut(index: LogIndex, record: LogRecord): Promise<void> {
    const { state } = this;
    const env = { events: SILENT };
    if (!isAllowed({ env, state }, record.kind, index)) return;
    switch (record.kind) {
      case 'cluster-version':
      case 'downgrade': {
        const why = applyVersionEntry({ env, state, log: { allow: () => undefined } }, record, index);
        if (why !== undefined) throw tooOld(index, why);
        return;
      }
      case 'alarm':
        return state.alarms.apply(record.change);
      case 'bootstrap':
        return state.bootstrap(record.settings);
      case 'tree':
        return undefined;
      case 'lease-time':
        await drive(state.kv.apply(index, undefined, record.command, false), this.#workers);
        return;
      case 'lease':
        return this.#carryOutKv(index, record);
      case 'kv':
        return this.#carryOutKv(index, { ...record, who: NOBODY });
      case 'auth': {
        const { id, who, command } = record;
        if (command.kind === 'auth') state.applyAuth(index, id, who, command.change);
        else await this.#carryOutKv(index, { id, who, command });
      }
    }
  }

  async #carryOutKv(index: LogIndex, { id, who, command }: KvRecord): Promise<void> {
    const { state } = this;
    const refusal = await state.refusalOf(command, who, this.#workers);
    if (refusal !== undefined) state.kv.refuse(index, id, refusal);
    else await drive(state.kv.apply(index, id, command, false), this.#workers);
  }

  async #lookBehind(): Promise<void> {
    const { log } = this.directory;
    for (let index = this.#index + 1; index <= log.lastIndex; index++) {
      const entry = await log.read(index);
      if (entry === undefined) continue;
      this.#soundBehind++;
      this.lost.add(entry);
      await this.#workers.breathe();
    }
  }
}

function alone({ hardState }: Directory): Membership {
  const self: NodeId = hardState?.memberId ?? 1;
  return new Membership(self, [{ id: self, name: '', peerUrls: [] }]);
}

function tooOld(index: LogIndex, why: string, cause?: unknown): ReplicaError {
  return new ReplicaError('CLUSTER_NEWER', `log entry ${index}: ${why} is newer than this program: use a newer one`, { index }, cause);
}
