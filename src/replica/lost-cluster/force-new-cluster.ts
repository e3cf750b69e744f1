/**
 * A cluster of one member out of what is left of another, in its data directory: for when all other
 * members are lost for good, or so many that those that are left are no majority.
 *
 *   - Nothing is changed before it is known what would be lost, and that this is accepted.
 *   - Tables stay, with all revisions in them; what the log has behind them becomes one table more.
 *     What was in the log and is not known to have been committed is kept, and committed by that.
 *   - The new cluster has an id of its own, and so has its member: none of the old members can ever
 *     take part in it, nor it among them (R1).
 *   - What was there is set aside and not deleted; until all of the new is durable the old is
 *     whole, and afterwards a crash leaves something that goes on (`takeover.ts`).
 */

import { assert, must } from '../../base/assert.js';
import { SubDisk } from '../../base/disk/sub-disk.js';
import type { Env, Random } from '../../base/env.js';
import type { NodeId, Revision } from '../../base/ids.js';
import { found, foundingVersion } from '../backup/founding.js';
import { writeJoined } from '../state/joined.js';
import { staticMembers } from '../state/members.js';
import { refuseUnfinishedRestore } from '../start/unfinished-restore.js';
import { asideLogs } from './aside-logs.js';
import { readDirectory } from './directory.js';
import { LostClusterError } from './errors.js';
import { findingsOf, isLossy, nextTableId, type Findings } from './findings.js';
import { Replay, type Repairs } from './replay.js';
import { emptyStage, STAGE, takeOver } from './takeover.js';

type LostEnv = Pick<Env, 'disk' | 'clock' | 'events' | 'workers' | 'random'>;

export interface NewCluster {
  /** Of its one member. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** What is lost for certain is accepted. */
  readonly acceptLoss: boolean;
  /** How much higher the revision becomes; above 0, all before is compacted then. */
  readonly bump: number;
  /** What an operator runs to go on after a crash. */
  readonly command: string;
  readonly logSegmentBytes: number;
}

export interface Made {
  readonly clusterId: bigint;
  readonly memberId: NodeId;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** The folder of what was there. */
  readonly aside: string;
}

/** A data directory that was looked at. To be closed. */
export class LostCluster {
  readonly findings: Findings;
  readonly #env: LostEnv;
  readonly #replay: Replay;

  private constructor(env: LostEnv, replay: Replay, findings: Findings) {
    this.#env = env;
    this.#replay = replay;
    this.findings = findings;
  }

  /**
   * Only reads. `onProgress`: bytes of tables. Rejects with LostClusterError NOTHING_HERE and
   * STATE_LOST, ReplicaError RESTORE_UNFINISHED and CLUSTER_NEWER, DiskError.
   */
  static async open(env: LostEnv, repairs: Repairs, onProgress?: (bytes: number) => void): Promise<LostCluster> {
    const { disk, workers } = env;
    await refuseUnfinishedRestore(disk);
    const replay = await replayed(env, repairs);
    try {
      return new LostCluster(env, replay, await findingsOf(disk, workers, replay, repairs, onProgress));
    } catch (error) {
      replay.close();
      throw error;
    }
  }

  /** Once. Rejects with LostClusterError LOSS_NOT_ACCEPTED, BackupError DAMAGED, DiskError. */
  async makeNew(cluster: NewCluster): Promise<Made> {
    const { findings } = this;
    if (isLossy(findings) && !cluster.acceptLoss) {
      throw new LostClusterError('LOSS_NOT_ACCEPTED', 'some of what was acknowledged is lost for certain, or is here and not considered, as said above: add --accept-loss to go on without it');
    }
    const { disk, random } = this.#env;
    const clusterId = drawn(random, (id) => id !== findings.clusterId);
    const members = findings.members?.map(({ id }) => id) ?? [];
    const memberId = Number(drawn(random, (id) => !members.includes(Number(id)) && Number(id) !== findings.memberId));
    const aside = `before-${clusterId.toString(16)}`;
    await emptyStage(disk);
    const { revision, compactRevision } = await this.#stage(cluster, clusterId, memberId);
    await takeOver(disk, { phase: 'setting-aside', aside, command: cluster.command });
    return { clusterId, memberId, revision, compactRevision, aside };
  }

  close(): void {
    this.#replay.close();
  }

  /** All that is new, durably, where nobody looks for it. */
  async #stage({ name, peerUrls, bump, logSegmentBytes }: NewCluster, clusterId: bigint, self: NodeId): Promise<Pick<Made, 'revision' | 'compactRevision'>> {
    const { findings } = this;
    const { kept, historyLost } = findings;
    const { state, tree, directory } = this.#replay;
    const stage = new SubDisk(this.#env.disk, STAGE);
    const env = { ...this.#env, disk: stage };
    for (const dir of ['', 'tables', 'manifest', 'log']) await stage.mkdir(dir);
    const index = kept.index + 1;
    const view = tree.view();
    try {
      const { memtables, sequence } = view.frozen();
      const [memtable] = memtables;
      assert(memtables.length === 1 && memtable !== undefined, 'S2 nothing is sealed while a log is only read');
      const version = await foundingVersion(env, {
        writes: state.foundingWrites(index, bump, historyLost),
        memtable: { memtable, sequence },
        format: must(state.settings, 'a cluster that has begun has settings').format,
        index, term: kept.term, tableId: await nextTableId(this.#env.disk, this.#replay), old: directory.version,
      });
      await stage.syncDir('tables');
      await found(env, { clusterId, self, term: findings.term, logSegmentBytes }, version);
    } finally {
      view.release();
    }
    const members = staticMembers([{ id: self, name, peerUrls }]);
    await writeJoined(stage, { self, description: { clusterId, members } });
    for (const dir of ['tables', 'manifest', 'log', '']) await stage.syncDir(dir);
    await this.#env.disk.syncDir('');
    const revision = findings.revision + bump;
    return { revision, compactRevision: bump > 0 ? revision : findings.compactRevision };
  }
}

/** Where nothing can be gone on with, it is said what was set aside. */
async function replayed({ disk, workers }: LostEnv, repairs: Repairs): Promise<Replay> {
  try {
    return await Replay.run(disk, workers, await readDirectory(disk, workers), { repairs });
  } catch (error) {
    if (!(error instanceof LostClusterError)) throw error;
    const aside = (await asideLogs(disk, workers, 0)).map(({ folder, first, last }) => `entries ${first} to ${last} are in ${folder}`);
    if (aside.length === 0) throw error;
    throw new LostClusterError(error.code,
      `${error.message.slice(error.code.length + 2)}. But ${aside.join(', ')}, set aside because this member was to be re-admitted: ` +
        'copy this directory, put what is there in the place of its log/ and hardstate, remove recovering, and run this there');
  }
}

/** A number of 53 bits that nobody has. */
function drawn(random: Random, suits: (id: bigint) => boolean): bigint {
  for (;;) {
    const id = BigInt(random.below(2 ** 21)) * 2n ** 32n + BigInt(random.uint32());
    if (id > 0n && suits(id)) return id;
  }
}
