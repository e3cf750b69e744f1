/**
 * History is dropped by itself, as etcd's `--auto-compaction-mode` and
 * `--auto-compaction-retention` say. Every member looks on, and the one that leads asks for the
 * compaction, which goes through the log like a client's: so a change of leader neither skips one
 * nor makes it earlier. What is to be kept is never compacted: a member that has not looked on for
 * long enough waits.
 *
 *   periodic   what was overwritten longer ago than the retention goes, once per retention, or once
 *              an hour where that is shorter
 *   revision   all but the newest so many revisions go, every five minutes
 */

import { assert } from '../base/assert.js';
import { EtcdError } from '../api/etcd-error.js';
import type { Env, Timer } from '../base/env.js';
import { messageOf } from '../base/errors.js';
import type { Revision } from '../base/ids.js';
import type { Leadership } from '../replica/state/leadership.js';
import type { Life } from '../replica/state/life.js';
import type { Store } from './store.js';

export type AutoCompactionOptions =
  | { readonly mode: 'periodic'; readonly retentionMs: number }
  | { readonly mode: 'revision'; readonly retention: number };

export interface AutoCompactionParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly life: Life;
  readonly leadership: Pick<Leadership, 'isLeader'>;
  /** As applied here. Another state machine takes its place with another version. */
  readonly state: { readonly kv: { readonly revision: Revision; readonly compactRevision: Revision } };
  readonly store: Pick<Store, 'compact'>;
}

const HOUR_MS = 3_600_000;
const REVISION_INTERVAL_MS = 300_000;
/** Looks per retention, or per hour where that is shorter. */
const LOOKS = 10;

interface Look {
  readonly at: number;
  readonly revision: Revision;
}

export class AutoCompaction {
  readonly #parts: AutoCompactionParts;
  readonly #options: AutoCompactionOptions;
  readonly #lookMs: number;
  /** Oldest first; at most one that is older than the retention. */
  readonly #looks: Look[] = [];
  #timer: Timer | undefined;
  #compactedAt = -Infinity;
  #busy = false;

  constructor(parts: AutoCompactionParts, options: AutoCompactionOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#lookMs = options.mode === 'revision' ? REVISION_INTERVAL_MS : this.#intervalMs / LOOKS;
    assert(this.#lookMs > 0, `history is kept for some time or number, not ${JSON.stringify(options)}`);
    parts.life.subscribe(() => {
      if (parts.life.ended) this.#timer?.cancel();
      else if (parts.life.serving && this.#timer === undefined) this.#next();
    });
  }

  /** Between two compactions. */
  get #intervalMs(): number {
    return this.#options.mode === 'revision' ? REVISION_INTERVAL_MS : Math.min(HOUR_MS, this.#options.retentionMs);
  }

  #next(): void {
    this.#timer = this.#parts.env.clock.setTimer(this.#lookMs, () => {
      this.#look();
      this.#next();
    });
  }

  #look(): void {
    const { env, leadership, state } = this.#parts;
    const now = env.clock.now();
    const target = this.#target(now);
    if (!leadership.isLeader || this.#busy || target <= state.kv.compactRevision) return;
    if (now - this.#compactedAt < this.#intervalMs) return;
    this.#busy = true;
    void this.#compact(target, now).finally(() => (this.#busy = false));
  }

  /** What may go; 0: nothing yet. */
  #target(now: number): Revision {
    const { revision } = this.#parts.state.kv;
    if (this.#options.mode === 'revision') return revision - this.#options.retention;
    const looks = this.#looks;
    if (looks.at(-1)?.revision !== revision) looks.push({ at: now, revision });
    const before = now - this.#options.retentionMs;
    while ((looks[1]?.at ?? Infinity) <= before) looks.shift();
    const [oldest] = looks;
    return oldest !== undefined && oldest.at <= before ? oldest.revision : 0;
  }

  async #compact(revision: Revision, now: number): Promise<void> {
    const { events } = this.#parts.env;
    try {
      await this.#parts.store.compact({ revision, physical: false });
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      // Somebody else's compaction came first: what was to go is gone.
      if (error.code !== 'COMPACTED') {
        events.emit({ type: 'warning', message: 'automatic compaction failed, and is tried again', data: { revision, why: messageOf(error) } });
        return;
      }
    }
    this.#compactedAt = now;
  }
}
