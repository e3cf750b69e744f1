/**
 * The answers of watches as bytes. Streams whose watchers want the same of a revision, under the
 * same id, as most do that have one watcher each, are sent the same bytes: what was encoded for the
 * first of them is kept until another revision is told. Only what is small is kept, and of few ids:
 * what is large costs more to send than to encode. What was read from history is not: it is packed
 * for its one watcher.
 */

import { KiB } from '../../base/bytes.js';
import { drive } from '../../base/drive.js';
import type { Workers } from '../../base/env.js';
import type { WatchResponse } from '../../api/watch.js';
import { PackedWatchResponse } from '../../api/wire/packed-events.js';
import { encodeWatchResponse } from '../../api/wire/watch-codec.js';

const KEPT_BYTES = 16 * KiB;
const KEPT_IDS = 16;

interface Kept {
  readonly answer: WatchResponse;
  readonly bytes: Uint8Array;
}

export class WatchMessages {
  readonly #prefix: Uint8Array;
  readonly #workers: Pick<Workers, 'breathe'>;
  /** By the id of the watcher, all of one term and revision. */
  readonly #kept = new Map<number, Kept>();
  #term = 0;
  #revision = 0;

  /** `prefix`: what the header of each answer begins with. */
  constructor(prefix: Uint8Array, workers: Pick<Workers, 'breathe'>) {
    this.#prefix = prefix;
    this.#workers = workers;
  }

  /** Nobody may change them. A promise: there are so many that it takes several slices. */
  of(answer: WatchResponse, term: number): Uint8Array | Promise<Uint8Array> {
    if (answer instanceof PackedWatchResponse) return this.#encode(answer, term);
    const { events, watchId, revision } = answer;
    if (events.length === 0) return this.#encode(answer, term);
    if (revision !== this.#revision || term !== this.#term) {
      this.#kept.clear();
      this.#revision = revision;
      this.#term = term;
    }
    const kept = this.#kept.get(watchId);
    if (kept !== undefined && isSame(kept.answer, answer)) return kept.bytes;
    const bytes = this.#encode(answer, term);
    const keeps = bytes instanceof Uint8Array && bytes.length <= KEPT_BYTES;
    if (keeps && (kept !== undefined || this.#kept.size < KEPT_IDS)) this.#kept.set(watchId, { answer, bytes });
    return bytes;
  }

  #encode(answer: WatchResponse, term: number): Uint8Array | Promise<Uint8Array> {
    return drive(encodeWatchResponse(this.#prefix, term, answer), this.#workers);
  }
}

/** Of one id and revision, both with events: they hold the very same ones. */
function isSame(a: WatchResponse, b: WatchResponse): boolean {
  if (a.fragment !== b.fragment || a.events.length !== b.events.length) return false;
  return a.events.every((event, at) => event === b.events[at]);
}
