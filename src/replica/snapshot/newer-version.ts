/**
 * The way on for a member that waits for bytes which its peers no longer keep, because they have
 * compacted the table away, while the log is long enough that Raft sends it no snapshot: it asks
 * its peers for their durable versions, and goes on from the newest one that does without that
 * table. Asked for only when every peer has said that it lacks the bytes, or after some could not
 * be asked for long; one at a time, ever less often while it does not help.
 */

import { assert } from '../../base/assert.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { StorageError } from '../../storage/base/errors.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { Version } from '../../storage/version/version.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { DurableLog } from '../log/durable-log.js';
import { joins } from '../log/joins.js';
import { KnownPeers } from '../log-recovery/known-peers.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import { askForVersions, newest, type PeerVersion } from './peer-versions.js';
import type { SnapshotReceiver } from './snapshot-receiver.js';

export const NEWER_VERSION_USED = 'a block is lost here and the others need it no more: their newer version is used';

export interface NewerVersionParts {
  readonly env: Env;
  readonly life: Life;
  readonly membership: Pick<Membership, 'self' | 'peers' | 'addresses' | 'find'>;
  readonly clusterId: bigint;
  readonly tree: Tree;
  readonly log: DurableLog;
  readonly receiver: SnapshotReceiver;
}

/** How long peers that cannot be asked are waited for. */
const PATIENCE_MS = 5_000;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 15_000;

export class NewerVersion {
  readonly #parts: NewerVersionParts;
  /** For which table, since when, and when it last said so: since <= last <= now. */
  #waiting = { table: undefined as unknown, since: 0, last: 0 };
  /** FIRST_PAUSE_MS to MAX_PAUSE_MS. */
  #pauseMs = FIRST_PAUSE_MS;
  #notBefore = 0;
  #state: 'idle' | 'asking' = 'idle';
  #known: KnownPeers | undefined;

  constructor(parts: NewerVersionParts) {
    this.#parts = parts;
  }

  /**
   * A repair that this member cannot go on without failed with `cause`. True: a newer version was
   * found, its tables are here, and `use` has put it in place. False: try the repair again, and
   * this. Rejects with what `use` rejects with.
   */
  async seek(error: StorageError, cause: unknown, use: (manifest: Version) => Promise<boolean>): Promise<boolean> {
    const { env, life } = this.#parts;
    const { clock } = env;
    if (!life.serving) await this.#findMembers(true);
    if (this.#state === 'asking' || !this.#due(error, cause)) return false;
    this.#state = 'asking';
    try {
      // One that serves may not have applied yet what has replaced all the others.
      if (life.serving && !saysAll(cause)) await this.#findMembers(false);
      const found = await this.#ask(this.#parts.tree.meta(Number(error.data['tableId'])));
      const used = found !== undefined && (await this.#take(found, use));
      this.#pauseMs = used ? FIRST_PAUSE_MS : Math.min(2 * this.#pauseMs, MAX_PAUSE_MS);
      return used;
    } finally {
      this.#notBefore = clock.now() + this.#pauseMs;
      assert(this.#pauseMs >= FIRST_PAUSE_MS && this.#pauseMs <= MAX_PAUSE_MS, `peers are asked again in ${this.#pauseMs} ms`);
      assert(this.#state === 'asking', 'D1 peers are asked for newer versions once at a time');
      this.#state = 'idle';
    }
  }

  /**
   * The members that are known here are those of an older state until all of the log is applied,
   * and all of them may have been removed while this member was away: those are asked that its log
   * names, that others know of, and that talk to it. Who serves is talked to by those that lead it.
   */
  async #findMembers(byLog: boolean): Promise<void> {
    const { env, membership, clusterId } = this.#parts;
    let known = byLog ? this.#known : undefined;
    if (known === undefined) {
      known = new KnownPeers(env, membership, clusterId);
      if (byLog) await known.readLog();
    }
    if (byLog) this.#known = known;
    await known.askWho();
    membership.find(known.peers);
  }

  #due(error: StorageError, cause: unknown): boolean {
    const now = this.#parts.env.clock.now();
    const table = error.data['tableId'];
    const waiting = this.#waiting;
    if (waiting.table !== table || now - waiting.last > 2 * PATIENCE_MS) {
      this.#waiting = { table, since: now, last: now };
      this.#pauseMs = FIRST_PAUSE_MS;
    } else waiting.last = now;
    assert(this.#waiting.since <= this.#waiting.last && this.#waiting.last <= now, `D1 table ${String(table)} is waited for since ${this.#waiting.since}`);
    if (now < this.#notBefore) return false;
    return saysAll(cause) || now - this.#waiting.since >= PATIENCE_MS;
  }

  async #ask(lost: TableMeta | undefined): Promise<PeerVersion | undefined> {
    const { env, membership } = this.#parts;
    const { found } = await askForVersions(env, membership.peers);
    return newest(found, (manifest) => this.suits(manifest) && !(lost && manifest.named(lost).length > 0));
  }

  /**
   * S2: only a version that this log leads to, and newer than what is read; before Raft starts the
   * log may begin anew. None once the member ends.
   */
  suits({ flushed, last }: Version): boolean {
    const { life, tree, log } = this.#parts;
    assert(flushed.index <= last.index, `S1 a version that reads back is of the log: ${flushed.index} is flushed of ${last.index}`);
    if (life.ended || last.index <= tree.materialized.last.index) return false;
    if (life.serving) return joins(log, flushed) && joins(log, last);
    return joins(log, flushed) || flushed.index > tree.durable.flushed.index;
  }

  async #take({ from, manifest }: PeerVersion, use: (manifest: Version) => Promise<boolean>): Promise<boolean> {
    const used = await this.#parts.receiver.obtain(from, manifest, () => use(manifest));
    const data = { from, flushed: manifest.flushed.index, last: manifest.last.index };
    if (used) this.#parts.env.events.emit({ type: 'warning', message: NEWER_VERSION_USED, data });
    return used;
  }
}

/** Every peer has answered: they have no good copy, or no such table. */
function saysAll(cause: unknown): boolean {
  return codeOf(cause) === 'DATA_LOSS' || (cause instanceof NetworkError && cause.data['gone'] === true);
}
