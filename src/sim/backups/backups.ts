/**
 * An operator who takes backups of the members while everything fails, and looks whether they are
 * any good. A backup is a read: what it holds goes into the history as the answer to one that began
 * when it was asked for, so that the verdict on the run is also one on it. D1 R4: it holds what was
 * acknowledged before, at one revision, and nothing else; and its past as far as it goes.
 *
 *   S4 it is sound by the verifier that ships, and with any bit flipped it is not
 *   D1 a directory that is restored from it opens, holds the same, and goes on
 */

import { EtcdError } from '../../api/etcd-error.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { Sha256 } from '../../base/sha256.js';
import type { OpenBackup } from '../../replica/backup/open-backup.js';
import { restore } from '../../replica/backup/restore.js';
import { configAt, type Identity } from '../cluster/identity.js';
import { isPowerOff } from '../cluster/power-off.js';
import type { Running, SimNode } from '../cluster/sim-node.js';
import type { Coverage } from '../model/coverage.js';
import type { ViolationKind } from '../model/result.js';
import { READ_ALL } from '../workload/generator.js';
import { OWN_WORK, type History, type OpRecord } from '../workload/history/history.js';
import type { RangeAnswer, RangeOp } from '../workload/history/operation.js';
import { differs } from '../workload/judge/differs.js';
import { keyBytes, rangeAnswer, rangeRequest } from '../workload/wire.js';
import type { Stream } from '../world/random.js';
import type { Process, World } from '../world/world.js';
import { openArchive, problemOf, readArchive } from './archive.js';
import { LoneMachine } from './lone-member.js';

export interface BackupsOptions {
  readonly world: World;
  readonly coverage: Coverage;
  readonly history: History;
  readonly logSegmentBytes: number;
  readonly report: (kind: ViolationKind, check: string, message: string, node: number) => void;
  /** A member says that a block is lost: whether that is right is for the oracle to say. */
  readonly dataLoss: (node: number, error: unknown) => void;
  /** An error of no type in that life. */
  readonly threw: (process: Process, error: unknown) => void;
}

/** Clients from this number on are operators, one for each backup: they have no session. */
const OPERATORS = OWN_WORK + 2_000;
const MS = 1_000;
const SECOND_US = 1_000_000;
const CLUSTER_ID = 0x0ba0n;
/** Of simulated time: a cluster of one elects itself well within it. */
const OPENS_US = 30 * SECOND_US;

/** To be awaited before a run with backups: compiling takes time of the host's, once. */
export async function readyForBackups(): Promise<void> {
  await Sha256.create();
}

interface Taken {
  readonly node: SimNode;
  readonly record: OpRecord;
  readonly bytes: Uint8Array;
}

export class Backups {
  readonly #options: BackupsOptions;
  #taken = 0;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  /**
   * Begins one; `done` hears whether it came to its end and is good. False: nobody is there. A life
   * that ends takes its stream with it, without a word.
   */
  begin(node: SimNode, random: Stream, done: (whole: boolean) => void = () => undefined): boolean {
    const { running } = node;
    if (running === undefined || node.state !== 'up') return false;
    const { history, world } = this.#options;
    const record = history.begin(OPERATORS + this.#taken++, node.id, READ_ALL, world.nowUs);
    record.life = node.lives;
    this.#take(node, running, record, random).then(
      (bytes) => this.#judge({ node, record, bytes }, random).then(() => done(true)),
      (error: unknown) => this.#refused(node, running.process, error),
    ).catch((error: unknown) => this.#options.threw(running.process, error)).finally(() => done(false));
    return true;
  }

  #refused(node: SimNode, process: Process, error: unknown): void {
    const { coverage, dataLoss, threw } = this.#options;
    if (!process.alive || isPowerOff(error)) return;
    const code = codeOf(error);
    if (!(error instanceof EtcdError)) return threw(process, error);
    coverage.branch(`backup refused ${code ?? ''}`);
    if (code === 'DATA_LOSS') dataLoss(node.id, error);
  }

  /** Reads slowly now and then: tables are compacted away under it meanwhile. */
  async #take(node: SimNode, { process, store }: Running, record: OpRecord, random: Stream): Promise<Uint8Array> {
    const { world } = this.#options;
    const pieces: Uint8Array[] = [];
    const isSlow = random.chance(1, 3);
    for await (const { bytes, remaining } of store.backup()) {
      pieces.push(bytes.slice());
      if (remaining > 0) await world.sleep(isSlow ? random.between(1, 8_000) * MS : random.tail(20 * MS), process);
    }
    const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    world.trace.fold(whole.length, record.id);
    if (world.trace.taping) world.trace.row(world.nowUs, node.id, `a backup of ${whole.length} bytes is taken`);
    return whole;
  }

  async #judge(taken: Taken, random: Stream): Promise<void> {
    const { coverage, world, history } = this.#options;
    const { bytes, record } = taken;
    const problem = await problemOf(bytes);
    if (problem !== undefined) return this.#broken(taken, 'S4 a backup is sound', problem);
    coverage.branch('backup taken');
    const flipped = bytes.slice();
    const bit = random.below(bytes.length * 8);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    if ((await problemOf(flipped)) === undefined) this.#broken(taken, 'S4 a flipped bit in a backup is found', `bit ${bit} of ${bytes.length * 8}`);
    const backup = await openArchive(bytes);
    const { revision, compactRevision } = backup.archive.header;
    const now = readArchive(backup, READ_ALL);
    history.settle(record, { kind: 'answered', answer: now }, world.nowUs);
    const past: RangeOp = { ...READ_ALL, revision: random.between(Math.max(1, compactRevision), revision), serializable: true };
    const then = readArchive(backup, past);
    const old = history.begin(record.client, record.node, past, record.callUs);
    old.life = record.life;
    history.settle(old, { kind: 'answered', answer: then }, world.nowUs);
    await this.#restored(taken, backup, random, now, [past, then]);
    backup.close();
  }

  async #restored(
    taken: Taken, backup: OpenBackup, random: Stream, now: RangeAnswer, [past, then]: readonly [RangeOp, RangeAnswer],
  ): Promise<void> {
    const { world, logSegmentBytes, coverage } = this.#options;
    const bump = random.chance(1, 3) ? random.between(1, 1_000_000) : 0;
    const machine = new LoneMachine(world, `restored ${taken.record.id}`);
    const { env } = machine;
    const whose = (): Identity => ({ self: 1, clusterId: CLUSTER_ID, members: [configAt(1)], joins: [] });
    const told = await restore({ env, backup, bump, command: 'kintsugi restore', logSegmentBytes }, whose);
    const { revision, compactRevision } = backup.archive.header;
    if (told.revision !== revision + bump || told.compactRevision !== (bump > 0 ? revision + bump : compactRevision)) {
      this.#differs(taken, `revision ${told.revision}, compacted at ${told.compactRevision}; the backup is of ${revision} and ${compactRevision}, and ${bump} more was asked for`);
    }
    const fatal = (error: unknown): void => this.#differs(taken, `it ended: ${messageOf(error)}`);
    const late = world.schedule(OPENS_US, () => fatal('no answer in time'), machine.process);
    const { store } = await machine.start({ clusterId: CLUSTER_ID, logSegmentBytes }, fatal);
    const read = async (op: RangeOp): Promise<RangeAnswer> => rangeAnswer(await store.range(rangeRequest(op)));
    this.#compare(taken, now, await read({ ...READ_ALL, revision: revision + bump }), 'as of the backup');
    if (bump === 0) this.#compare(taken, then, await read(past), `as of revision ${past.revision}`);
    const put = { key: keyBytes('restored'), value: new Uint8Array(1), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
    const { revision: next } = await store.put(put);
    if (next <= revision + bump) this.#differs(taken, `a write gets revision ${next}, after ${revision + bump}`);
    late.cancel();
    machine.end(world);
    coverage.branch('backup restored');
  }

  #compare(taken: Taken, backup: RangeAnswer, restored: RangeAnswer, when: string): void {
    // Leases may end there, which is after what was read.
    const wrong = differs(backup, { ...restored, revision: backup.revision });
    if (wrong !== undefined) this.#differs(taken, `${when}: ${wrong}`);
  }

  #differs(taken: Taken, why: string): void {
    this.#broken(taken, 'D1 what is restored is what the backup holds', why);
  }

  #broken({ node, bytes, record }: Taken, check: string, why: string): void {
    this.#options.report('correctness', check, `a backup of ${bytes.length} bytes, asked for at ${record.callUs / SECOND_US} s: ${why}`, node.id);
  }
}
