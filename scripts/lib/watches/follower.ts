/**
 * The judge of one watcher: it wants every event of every revision of its range, once, in order,
 * each revision whole, from where it began; what is said of its progress must be true. Judged as
 * soon as the history is known.
 */

import { differenceOf, type Expected, type History, type SeenEvent, type State } from './history.js';

/** What is watched. */
export interface Want {
  readonly key: string;
  /** All that begin with it, instead of the key alone. */
  readonly prefix: boolean;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly fragment: boolean;
}

/** A revision that was told, or (without events) that all up to it was. */
interface Told {
  readonly revision: number;
  readonly events: readonly SeenEvent[];
}

const MAX_FAULTS = 5;

export class Follower {
  readonly name: string;
  readonly want: Want;
  /** It never sleeps for long: what it has yet to hear is not compacted. */
  readonly regular: boolean;
  readonly #history: History;
  /** All before it is heard. */
  #next: number;
  /** All before it is judged. */
  #judged: number;
  #told: Told[] = [];
  #pieces: SeenEvent[] = [];
  readonly faults: string[] = [];
  events = 0;
  revisions = 0;
  inPieces = 0;
  progress = 0;
  compacted = 0;
  begun = 0;

  /** `begin` 0: with what comes once it has begun. */
  constructor(history: History, name: string, want: Want, begin: number, regular = true) {
    this.name = name;
    this.want = want;
    this.regular = regular;
    this.#history = history;
    this.#next = begin;
    this.#judged = begin;
  }

  /** Where to begin again. */
  get next(): number {
    return this.#next;
  }

  fault(text: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push(`${this.name}: ${text}`);
  }

  /** At a member that was at `revision` then. */
  beganAt(revision: number): void {
    this.begun++;
    if (this.#next === 0) this.#next = this.#judged = revision + 1;
  }

  /** The call has ended: what was in pieces comes again. */
  dropPieces(): void {
    this.#pieces = [];
  }

  /** The events of one message; `open`: the last revision goes on in the next. */
  hear(events: readonly SeenEvent[], open: boolean): void {
    for (let at = 0; at < events.length;) {
      const { modRevision: revision } = (events[at] as SeenEvent).kv;
      let end = at + 1;
      while (end < events.length && (events[end] as SeenEvent).kv.modRevision === revision) end++;
      const changes = events.slice(at, end);
      at = end;
      const pieces = this.#pieces[0];
      if (pieces !== undefined && pieces.kv.modRevision !== revision) this.fault(`revision ${pieces.kv.modRevision} breaks off, ${revision} begins`);
      if (open && end === events.length) {
        this.#pieces.push(...changes);
        this.inPieces++;
        return;
      }
      this.#whole({ revision, events: [...this.#pieces, ...changes] });
      this.#pieces = [];
    }
  }

  /** No more events of `revision`: it ends what came in pieces, or all up to there was told. */
  toldTo(revision: number): void {
    const pieces = this.#pieces;
    if (pieces[0]?.kv.modRevision !== revision) return this.upTo(revision);
    this.#pieces = [];
    this.#whole({ revision, events: pieces });
  }

  #whole(told: Told): void {
    const { revision, events } = told;
    if (revision < this.#next) this.fault(`revision ${revision} is told after all before ${this.#next} was`);
    this.events += events.length;
    this.revisions++;
    this.#told.push(told);
    this.#next = Math.max(this.#next, revision + 1);
  }

  /** It is said that all up to `revision` was told. */
  upTo(revision: number): void {
    this.progress++;
    if (this.#pieces.length > 0) this.fault(`progress at ${revision} within a revision that is told in pieces`);
    if (revision < this.#next) return;
    this.#told.push({ revision, events: [] });
    this.#next = revision + 1;
  }

  /**
   * It is told that what it wants next is gone: it goes on at `compactRevision`, which somebody
   * must have asked for.
   */
  overtaken(compactRevision: number): void {
    this.compacted++;
    if (this.regular) this.fault(`at ${this.#next} it is told that ${compactRevision} is compacted, and it never was behind that`);
    if (compactRevision <= this.#next) this.fault(`it wants ${this.#next}, and is told that it was compacted by ${compactRevision}`);
    if (!this.#history.compactions.has(compactRevision)) this.fault(`nobody has compacted at ${compactRevision}`);
    this.judge();
    if (this.#judged < this.#next) this.fault(`it is overtaken at ${this.#next}, which is in the future`);
    this.#next = this.#judged = Math.max(this.#next, compactRevision);
  }

  /** Of what is known by now. */
  judge(): void {
    let done = 0;
    for (const { revision, events } of this.#told) {
      if (revision > this.#history.last) break;
      done++;
      for (; this.#judged < revision; this.#judged++) this.#judgeSilent(this.#judged, events.length === 0 ? revision : undefined);
      if (events.length === 0) this.#judgeSilent(revision, revision);
      else this.#judgeEvents(revision, events);
      this.#judged = revision + 1;
    }
    this.#told.splice(0, done);
  }

  #wants({ type, key }: Expected): boolean {
    if (type === 'put' ? this.want.noPut : this.want.noDelete) return false;
    return this.want.prefix ? key.startsWith(this.want.key) : key === this.want.key;
  }

  #judgeSilent(revision: number, claimed: number | undefined): void {
    const missed = this.#history.at(revision).filter((event) => this.#wants(event)).length;
    if (missed === 0) return;
    if (claimed === undefined) this.fault(`${missed} events of revision ${revision} are left out`);
    else this.fault(`progress says that all up to ${claimed} was told; ${missed} events of ${revision} were not`);
  }

  #judgeEvents(revision: number, events: readonly SeenEvent[]): void {
    const wanted = this.#history.at(revision).filter((event) => this.#wants(event));
    if (wanted.length !== events.length) return this.fault(`revision ${revision} has ${wanted.length} events, ${events.length} are told`);
    for (const [i, { type, key, state, before }] of wanted.entries()) {
      const seen = events[i] as SeenEvent;
      if (seen.type !== type) return this.fault(`event ${i} of ${revision} is a ${seen.type} of ${seen.kv.key} instead of a ${type} of ${key}`);
      const wrong = type === 'put' ? differenceOf(seen.kv, key, state) : seen.kv.key === key ? undefined : `${seen.kv.key} instead of ${key}`;
      const prev = this.#wrongBefore(seen, key, before, revision);
      if (wrong !== undefined) return this.fault(`event ${i} of ${revision}: ${wrong}`);
      if (prev !== undefined) return this.fault(`event ${i} of ${revision}, before it: ${prev}`);
    }
  }

  #wrongBefore({ prevKv }: SeenEvent, key: string, before: State | undefined, revision: number): string | undefined {
    if (!this.want.prevKv) return prevKv && `${key}, which was not asked for`;
    // Who reads at the edge of what is compacted does not hear what was there before.
    const gone = !this.regular && prevKv === undefined && revision <= Math.max(...this.#history.compactions);
    return gone ? undefined : differenceOf(prevKv, key, before);
  }
}
