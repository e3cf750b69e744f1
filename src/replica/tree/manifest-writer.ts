/**
 * Makes the durable manifest follow the materialized version, one append at a time, and then lets
 * go of what only the older version needed.
 *
 *   1. what the durable manifest lacks of the version that is read is appended and synced: H5 all
 *      its tables are here, so what a heal made is proven before what it replaces may go;
 *   2. S5 only then go the files that no version, reader or transfer names any more;
 *   3. healing is told (a hint may have come to its end), and the log is truncated below the
 *      flushed index.
 */

import { assert } from '../../base/assert.js';
import { Coalesced } from '../../base/coalesced.js';
import type { Env, Timer } from '../../base/env.js';
import { DiskError, messageOf } from '../../base/errors.js';
import type { TableId } from '../../base/ids.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { ManifestStore, PositionedOp } from '../../storage/version/manifest-store.js';
import type { Version } from '../../storage/version/version.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { Life } from '../state/life.js';
import { isNoSpace, type Room } from '../state/room.js';

export interface ManifestWriterParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly life: Life;
  readonly room: Room;
  readonly tree: Tree;
  readonly tables: TableStore;
  readonly store: ManifestStore;
  readonly healing: Pick<HealingHooks, 'durableMoved'>;
}

/** What the rooms above do. */
export interface TreeHooks {
  /** The durable version moved and files that nothing needs are gone: the log may be truncated. */
  durableMoved(): Promise<void>;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 2_000;

export class ManifestWriter {
  readonly #parts: ManifestWriterParts;
  readonly #hooks: TreeHooks;
  /** Paused while another version is put in place. */
  readonly #writing: Coalesced;
  /** The disk refused the last record: it is tried again. */
  #retry: Timer | undefined;
  #retryMs = FIRST_RETRY_MS;

  constructor(parts: ManifestWriterParts, hooks: TreeHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    this.#writing = new Coalesced(
      () => this.#record(),
      (error) => {
        void this.#writing.pause();
        parts.life.fail(error);
      },
    );
  }

  /** There may be something to record. */
  kick(): void {
    this.#writing.kick();
  }

  /**
   * Resolves when nothing is being written; nothing will be until `resume`. For replacing the
   * manifest as a whole.
   */
  pause(): Promise<void> {
    this.#retry?.cancel();
    this.#retry = undefined;
    return this.#writing.pause();
  }

  resume(): void {
    this.#writing.resume();
  }

  async #record(): Promise<void> {
    const { tree } = this.#parts;
    for (let next = tree.unrecorded(); next !== undefined && !this.#writing.paused; next = tree.unrecorded()) {
      const { ops, manifest } = next;
      const { last, flushed } = tree.durable;
      assert(manifest.last.index > last.index, `S1 the durable version only grows: ${manifest.last.index} after ${last.index}`);
      assert(manifest.flushed.index >= flushed.index, `D1 what is in tables stays there: ${manifest.flushed.index} after ${flushed.index}`);
      const lacking = manifest.list().find(({ id }) => !tree.isLocal(id));
      assert(lacking === undefined, `H5 table ${lacking?.id} is here before the manifest counts on it`);
      if (!(await this.#append(ops, manifest))) return;
      tree.setDurable(manifest);
      await this.#moved(await tree.collect());
    }
  }

  /**
   * False: the disk refused. C1 that ends nobody: the durable version is what it was, no file goes,
   * and the next try begins a file of its own: one whose sync failed takes nothing more.
   */
  async #append(ops: readonly PositionedOp[], manifest: Version): Promise<boolean> {
    const { store, env, room } = this.#parts;
    try {
      await store.append(ops, manifest);
      this.#retryMs = FIRST_RETRY_MS;
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (isNoSpace(error)) room.ranOut(error, true);
      else env.events.emit({ type: 'disk-failed', what: 'manifest', why: messageOf(error) });
      this.#retry ??= env.clock.setTimer(this.#retryMs, () => {
        this.#retry = undefined;
        this.#writing.kick();
      });
      this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
      return false;
    }
  }

  async #moved(deleted: readonly TableId[]): Promise<void> {
    const { tree, tables, healing } = this.#parts;
    for (const id of deleted) {
      assert(!tree.durable.has(id) && !tree.materialized.has(id), `S5 table ${id} was deleted, and a version names it`);
      tables.forget(id);
    }
    healing.durableMoved();
    await this.#hooks.durableMoved();
  }
}
