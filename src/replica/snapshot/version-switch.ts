/**
 * Puts another version in the place of all that was applied here: a snapshot of Raft's, or a newer
 * version that a peer gave. Its tables are here already. The manifest first, then the state as of
 * its flushed index, the log last, so that a crash in between leaves what the next start can go on
 * from. One at a time.
 *
 * S2: a version from a peer is a state that this log leads to, so the log stays and is applied
 * again from there. R4: that may begin before what was applied here; the gate keeps readers out
 * until it is past what they have seen.
 */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import { drive } from '../../base/drive.js';
import { messageOf } from '../../base/errors.js';
import { sleep, type Env } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import type { Snapshot } from '../../raft/types.js';
import { StorageError } from '../../storage/base/errors.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { Version } from '../../storage/version/version.js';
import { decodeManifestInSlices } from '../../storage/version/manifest-codec.js';
import type { ManifestStore } from '../../storage/version/manifest-store.js';
import type { Applier } from '../apply/applier.js';
import { hasFailed } from '../consensus/log-fence.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';
import { isNoSpace, type Room } from '../state/room.js';
import type { Reads } from '../reads/reads.js';
import type { LogTruncation } from './log-truncation.js';
import type { ServeGate } from '../reads/serve-gate.js';
import type { DurableLog } from '../log/durable-log.js';
import { joins } from '../log/joins.js';
import type { TreeMachine } from '../tree/tree-machine.js';

export interface VersionSwitchParts {
  readonly env: Env;
  readonly life: Life;
  readonly room: Room;
  readonly leadership: Leadership;
  readonly tree: Tree;
  readonly store: ManifestStore;
  readonly log: DurableLog;
  readonly state: ReplicatedState;
  readonly reads: Reads;
  readonly gate: ServeGate;
  readonly applier: Applier;
  readonly machine: TreeMachine;
  readonly truncation: LogTruncation;
  readonly healing: Pick<HealingHooks, 'repair' | 'durableMoved'>;
}

const RETRY_MS = 1_000;
const AGAIN_MS = 500;

type Unrepaired = (error: StorageError, cause: unknown) => Promise<boolean>;

export class VersionSwitch {
  readonly #parts: VersionSwitchParts;
  /**
   * Never rejects. While it is there nothing is applied, recorded or dropped of the log: manifest
   * and log do not belong together.
   */
  #running: Promise<unknown> | undefined;

  constructor(parts: VersionSwitchParts) {
    this.#parts = parts;
  }

  /** Manifest and log do not belong together for the moment. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Raft's: the log begins anew after it. */
  async install(snapshot: Snapshot): Promise<void> {
    const manifest = await drive(decodeManifestInSlices(snapshot.data ?? EMPTY), this.#parts.env.workers);
    const { index, term } = snapshot.metadata;
    assert(manifest.flushed.index === index && manifest.flushed.term === term, 'S2 a snapshot is at the flushed index of its manifest');
    const { applier, log } = this.#parts;
    while (this.#running) await this.#running;
    await this.#alone(async () => {
      await this.#quiesce();
      await this.#insist(() => log.expectSnapshot(manifest.last.index));
      await this.#replace(manifest);
      await this.loadMended();
      await this.#insist(() => log.resetTo(index, term, manifest.last.index));
      assert(log.firstIndex() === index + 1 && log.lastIndex() === index, `R3 the log begins anew after ${index}`);
      assert(log.term(index) === term, `R3 the log goes on from entry ${index} of term ${term}`);
      await applier.reset(index);
      await this.#goOn(index);
    });
  }

  /** A peer's, while Raft runs. False: it does not suit any more, and nothing has changed. */
  takeOver(manifest: Version, suits: () => boolean): Promise<boolean> {
    return this.#goBackTo(() => (suits() ? manifest : undefined));
  }

  /**
   * What is in memory is in doubt: memtables and state are made anew, of the durable version and
   * the log after it. False: not now.
   */
  rebuild(): Promise<boolean> {
    return this.#goBackTo(() => this.#parts.tree.durable);
  }

  /** `choose` is asked once nothing changes any more. */
  async #goBackTo(choose: () => Version | undefined): Promise<boolean> {
    const { applier, machine, life } = this.#parts;
    if (this.busy || life.ended) return false;
    assert(life.serving, 'S2 a version takes the place of what was applied only once something is');
    return this.#alone(async () => {
      await this.#quiesce();
      if (life.ended) return false;
      const manifest = choose();
      if (manifest === undefined) {
        applier.resume();
        machine.writer.resume();
        return false;
      }
      await this.#replace(manifest);
      await this.loadMended();
      if (life.ended) return true;
      await applier.rebase(manifest.flushed.index);
      await this.#goOn(manifest.flushed.index);
      return true;
    });
  }

  /**
   * A peer's, before Raft starts and without its state, which the caller loads. A log that does not
   * lead there begins anew.
   */
  async openAt(manifest: Version): Promise<void> {
    const { applier, log, life } = this.#parts;
    const { flushed, last } = manifest;
    assert(!life.serving, 'R2 the log of a member that takes part begins anew by a snapshot alone');
    await this.#alone(async () => {
      await this.#quiesce();
      await this.#insist(() => log.expectSnapshot(last.index));
      await this.#replace(manifest);
      if (!joins(log, flushed)) await this.#insist(() => log.resetTo(flushed.index, flushed.term, last.index));
      assert(joins(log, flushed), `S1 the log leads on from ${flushed.index}`);
      await applier.reset(flushed.index);
      this.#parts.machine.writer.resume();
    });
  }

  /**
   * The state as of the flushed index of the version in place. A bad block on the way is mended
   * first: nobody else can tell what this member knows. `unrepaired`: what else may help when a
   * repair failed; true if another version is in place.
   */
  async loadMended(unrepaired: Unrepaired = () => Promise.resolve(false)): Promise<void> {
    const { env, tree, log, state, healing, life } = this.#parts;
    for (;;) {
      try {
        state.load(tree.durable.flushed.index);
        log.allow(state.version);
        return;
      } catch (error) {
        if (!(error instanceof StorageError) || life.ended) throw error;
        const cause = await healing.repair(error).then(() => undefined, (why: unknown) => why ?? error);
        if (cause === undefined || (await unrepaired(error, cause))) continue;
        env.events.emit({ type: 'warning', message: 'the state as of the flushed index waits for a repair', data: { why: messageOf(cause) } });
        await sleep(env.clock, RETRY_MS);
      }
    }
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const { truncation } = this.#parts;
    assert(this.#running === undefined, 'S2 one version takes the place of another at a time');
    const running = work();
    truncation.hold();
    const settled = running.then(() => undefined, () => undefined).finally(() => {
      assert(this.#running === settled, 'S2 the switch that ends is the one that runs');
      this.#running = undefined;
      truncation.release();
    });
    this.#running = settled;
    const result = await running;
    await settled;
    return result;
  }

  async #quiesce(): Promise<void> {
    await this.#parts.applier.stop();
    await this.#parts.machine.writer.pause();
    await this.#parts.truncation.running;
    assert(this.#parts.truncation.running === undefined, 'S2 the log is not truncated while versions change');
  }

  async #replace(manifest: Version): Promise<void> {
    const { applier, machine, store, tree, gate } = this.#parts;
    assert(manifest.flushed.index <= manifest.last.index, `S1 ${manifest.flushed.index} is flushed of ${manifest.last.index}`);
    // Readers have seen what was applied before an entry that waits, although its stretch has not
    // ended.
    gate.applied(applier.index);
    machine.dropWork();
    await this.#insist(() => store.replace(manifest));
    tree.reset(manifest);
    gate.install(manifest.last.index);
    assert(tree.durable === manifest && tree.latest === manifest, 'S2 the new version is the only one');
    assert(!gate.isOpen, 'R4 nobody reads while versions change');
  }

  /**
   * C1 What was begun is carried on with as soon as there is room, and in a fresh segment of the
   * log if one failed.
   */
  async #insist(work: () => Promise<void>): Promise<void> {
    const { env, life, room } = this.#parts;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (life.ended || !(isNoSpace(error) || hasFailed(error))) throw error;
        if (isNoSpace(error)) room.ranOut(error, true);
        await sleep(env.clock, AGAIN_MS);
      }
    }
  }

  async #goOn(flushed: LogIndex): Promise<void> {
    const { applier, machine, tree, leadership, log, reads, healing } = this.#parts;
    assert(applier.index === flushed && tree.durable.flushed.index === flushed, `S1 the log goes on after ${flushed}, not after ${applier.index}`);
    leadership.reset(leadership.isLeader ? log.term(flushed) : 0);
    reads.applied(flushed);
    healing.durableMoved();
    machine.writer.resume();
    machine.resume();
    applier.resume();
    await tree.collect();
  }
}
