/**
 * Reads history from the tree for the watchers that are too far behind for memory: one part at a
 * time, for all that it concerns, in slices. Who waits longest has its turn first. A watcher whose
 * place is compacted by now ends, told so: nothing is left out in silence.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import { Coalesced } from '../../base/coalesced.js';
import { drive } from '../../base/drive.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { sleep, type Breather } from '../../base/env.js';
import type { Revision } from '../../base/ids.js';
import { StorageError } from '../../storage/base/errors.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import type { TreeView } from '../../storage/tree/tree-view.js';
import type { StoreState } from '../kv/range.js';
import type { FullStreams } from './deliver.js';
import { HistoryDelivery, type EarlierVersions, type Round } from './deliver-history.js';
import { comparePlaces, WindowRoom, type HistoryPart, type Place } from './history-window.js';
import type { WatchHubParts } from './hub-parts.js';
import { findPrevious, readHistory } from './read-history.js';
import type { WatchPermits } from './watch-permits.js';
import { TO_END, type Watcher } from './watcher.js';
import type { WatcherIndex } from './watcher-index.js';

const RETRY_MS = 200;
/** Of a revision that must go into one message. */
const WHOLE_BYTES = 256 * MiB;

/** The watchers that lag behind, and what becomes of them. */
export interface Laggards extends FullStreams {
  readonly parts: WatchHubParts;
  readonly lagging: WatcherIndex;
  /** False: who wanted to is called again when it may. */
  mayRead(): boolean;
  /** The recent revisions go on from its place. */
  isNear(watcher: Watcher): boolean;
  nextRound(): number;
  /** It has read so far; if that is all, it is told of each revision from now on. */
  advance(watcher: Watcher, place: Place): void;
  /** It cannot go on: what waits of it is sent, and then why. */
  cancel(watcher: Watcher, reason: string, compactRevision?: Revision): void;
  readonly permits: WatchPermits;
  /** Some may go on. */
  catchUp(): void;
}

/** As of a pinned view. */
class ViewVersions implements EarlierVersions {
  readonly #view: TreeView;
  readonly #state: StoreState;

  constructor(view: TreeView, state: StoreState) {
    this.#view = view;
    this.#state = state;
  }

  find(key: Uint8Array, revision: Revision, into: VersionSlot): boolean {
    return findPrevious(this.#view, key, revision, this.#state, into);
  }
}

export class HistoryReader {
  readonly #hub: Laggards;
  readonly #windowBytes: number | undefined;
  readonly #work: Coalesced;
  #delivery: HistoryDelivery;
  readonly #workers: Breather;
  /** As long as somebody lags: whoever waits for room in his stream goes on in it. */
  #room: WindowRoom | undefined;
  #served = 0;
  /** The last part could not be read: now it is for one watcher alone, to see whose block it is. */
  #alone = false;

  constructor(hub: Laggards, windowBytes: number | undefined, failed: (error: unknown) => void) {
    this.#hub = hub;
    this.#delivery = new HistoryDelivery(hub);
    this.#windowBytes = windowBytes;
    const { workers } = hub.parts.env;
    this.#workers = workers.behind ?? workers;
    this.#work = new Coalesced(() => this.#run(), failed);
  }

  kick(): void {
    this.#work.kick();
  }

  async #run(): Promise<void> {
    const { life } = this.#hub.parts;
    while (!life.ended && this.#hub.mayRead()) {
      const members = this.#choose();
      const [first] = members;
      if (first === undefined) break;
      await this.#serve(members, first, (this.#room ??= new WindowRoom()));
      this.#hub.catchUp();
    }
    if (this.#hub.lagging.size > 0 || this.#room === undefined) return;
    // Nobody lags: what was read last is held by nothing any more.
    this.#room = undefined;
    this.#delivery = new HistoryDelivery(this.#hub);
  }

  /** The first is the one where reading begins; none of the others is before it. */
  #choose(): Watcher[] {
    const hub = this.#hub;
    const { kv } = hub.parts.state;
    const waiting: Watcher[] = [];
    for (const watcher of [...hub.lagging]) {
      const { place, round, stream } = watcher;
      if (place.revision < kv.compactRevision) hub.cancel(watcher, '', kv.compactRevision);
      else if (round === 0 && place.revision <= kv.revision && !hub.isNear(watcher) && !hub.isFull(stream)) waiting.push(watcher);
    }
    let first: Watcher | undefined;
    for (const watcher of waiting) if (first === undefined || turnOf(watcher, first) < 0) first = watcher;
    if (first === undefined) return [];
    const from = first;
    const others = this.#alone ? [] : waiting.filter((watcher) => watcher !== from && comparePlaces(watcher.place, from.place) >= 0);
    return [from, ...others];
  }

  async #serve(members: readonly Watcher[], first: Watcher, room: WindowRoom): Promise<void> {
    const { tree, state } = this.#hub.parts;
    const round = this.#hub.nextRound();
    for (const watcher of members) watcher.round = round;
    const now = state.kv.state();
    const view = tree.view();
    try {
      const part = await drive(readHistory(view, now, hullOf(members), first.place, this.#windowBytes, room), this.#workers);
      await this.#deliver(part, { round, members, lagging: this.#hub.lagging, earlier: new ViewVersions(view, now) });
      this.#end(part, members, round);
      this.#alone = false;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      await this.#mend(error, members);
    } finally {
      for (const watcher of members) if (watcher.round === round) watcher.round = 0;
      view.release();
    }
  }

  async #deliver(part: HistoryPart, to: Round): Promise<void> {
    const { changes, end } = part;
    const { permits } = this.#hub;
    for (let at = 0; at < changes.length && to.members.some(({ round }) => round === to.round);) {
      const checking = permits.recheck();
      if (checking) await checking;
      try {
        at = this.#delivery.step(changes, at, end.sub > 0, to);
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        await this.#mendValue(error, to);
      }
      const pause = this.#workers.breathe();
      if (pause) await pause;
    }
  }

  #end(part: HistoryPart, members: readonly Watcher[], round: number): void {
    const hub = this.#hub;
    this.#served++;
    for (const watcher of members) {
      if (watcher.round !== round) continue;
      assert(!watcher.ended, 'W1 who has ended takes part in nothing');
      watcher.stream.complete(watcher, part.end.revision - 1);
      const held = watcher.stream.partialBytes(watcher);
      if (held > 0 && watcher.fragment) {
        watcher.stream.flushFragments(watcher);
        hub.isFull(watcher.stream);
      } else if (held > WHOLE_BYTES) {
        hub.cancel(watcher, `kintsugi: revision ${part.end.revision} has more than ${WHOLE_BYTES} bytes of events: watch with fragments`);
        continue;
      }
      watcher.served = this.#served;
      watcher.needsTree = false;
      hub.advance(watcher, part.end);
    }
  }

  /** Nothing of the part was queued: on return it may be tried again. */
  async #mend(error: StorageError, members: readonly Watcher[]): Promise<void> {
    const lost = await this.#repair(error);
    if (lost === undefined) return;
    if (members.length === 1) for (const watcher of members) this.#hub.cancel(watcher, lost);
    this.#alone = members.length > 1;
  }

  /** Some of the part was queued: who cannot do without the value ends, and the others go on. */
  async #mendValue(error: StorageError, { round, members }: Round): Promise<void> {
    const wanting = members.filter((watcher) => watcher.prevKv && watcher.round === round && this.#delivery.isAbout(watcher));
    const lost = await this.#repair(error);
    if (lost !== undefined) for (const watcher of wanting) this.#hub.cancel(watcher, lost);
  }

  /** A text: no good copy of the block is left anywhere. */
  async #repair(error: StorageError): Promise<string | undefined> {
    const { healing, env } = this.#hub.parts;
    try {
      await healing.repair(error);
    } catch (cause) {
      if (codeOf(cause) === undefined) throw cause;
      if (codeOf(cause) === 'DATA_LOSS') return messageOf(cause);
      await sleep(env.clock, RETRY_MS);
    }
    return undefined;
  }
}

/** Who waits longest; then who is furthest behind. */
function turnOf(a: Watcher, b: Watcher): number {
  return a.served - b.served || comparePlaces(a.place, b.place);
}

/** All keys that any of them wants, and what lies between. */
function hullOf(members: readonly Watcher[]): { readonly key: Uint8Array; readonly to: Uint8Array | undefined } {
  let least = members[0] as Watcher;
  let most = least;
  for (const watcher of members) {
    if (watcher.from < least.from) least = watcher;
    if (watcher.to === TO_END || (most.to !== TO_END && watcher.to > most.to)) most = watcher;
  }
  return { key: least.key, to: most.keyEnd };
}
