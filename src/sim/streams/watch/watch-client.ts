/**
 * A client that watches: some watches on one stream, at one member after another. When the member
 * dies, ends the stream or is not heard any more, each watch goes on elsewhere from the revision
 * after the last that it knows. From time to time it gives them up and begins others. It asks for
 * progress, believes it, and now and then reads nothing for long.
 */

import type { WatchRequest } from '../../../api/watch.js';
import type { Stream } from '../../world/random.js';
import { keyBytes } from '../../workload/wire.js';
import { membersOf, type StreamParts } from '../base/parts.js';
import { OpenStream, type Answer, type StreamEnd } from './open-stream.js';
import type { Sightings } from './sightings.js';
import { drawWanted } from './wanted.js';
import { WATCH_COMPACTED, WatchLog, type Breach } from './watch-log.js';

const SECOND_US = 1_000_000;
const TICK_US = SECOND_US;
const PROGRESS_US = 2 * SECOND_US;
/** Of hearing nothing, progress included, until it tries elsewhere. */
const SILENCE_US = 6 * SECOND_US;
const FIRST_BACKOFF_US = 50_000;
const MAX_BACKOFF_US = 2 * SECOND_US;
const MAX_WATCHES = 3;

export class WatchClient implements StreamEnd {
  /** All that it ever watched. */
  readonly logs: WatchLog[] = [];
  readonly #parts: StreamParts;
  readonly #sightings: Sightings;
  readonly #random: Stream;
  readonly #number: number;
  /** Of a thousand messages, so many are followed by a rest. */
  readonly #restsIn1000: number;
  /** By the id on the stream. */
  #watches = new Map<number, WatchLog>();
  #created = new Set<number>();
  #stream: OpenStream | undefined;
  #backoffUs = FIRST_BACKOFF_US;
  #heardUs = 0;
  #askedUs = 0;
  #restUntilUs = 0;
  #changeUs = 0;
  /** It only waits until it knows all. */
  #final = false;

  constructor(parts: StreamParts, sightings: Sightings, number: number) {
    this.#parts = parts;
    this.#sightings = sightings;
    this.#number = number;
    this.#random = parts.world.stream(`watch client ${number}`);
    this.#restsIn1000 = this.#random.pick([0, 4, 15]);
  }

  start(): void {
    this.#beginAnew();
    this.#connect();
    this.#tick();
  }

  /** No more changes and rests: it is to catch up. */
  settle(): void {
    this.#final = true;
    this.#restUntilUs = 0;
  }

  get stream(): OpenStream | undefined {
    return this.#stream;
  }

  /** Watches on its stream. */
  get watching(): number {
    return this.#watches.size;
  }

  /** Why it does not know yet of all up to `revision`. */
  behind(revision: number): string[] {
    return [...this.#watches.values()]
      .filter((log) => !log.lost && (log.next === 0 || log.next <= revision))
      .map((log) => `${String(log)} has heard of all up to ${log.next - 1} of ${revision}, at node ${this.#stream?.node.id ?? 'none'}`);
  }

  // What it does by itself.

  #tick(): void {
    const { world } = this.#parts;
    world.schedule(TICK_US, () => {
      this.#look();
      this.#tick();
    });
  }

  #look(): void {
    const { nowUs } = this.#parts.world;
    const stream = this.#stream;
    if (stream === undefined || nowUs < this.#restUntilUs) return;
    if (stream.isDead || nowUs - this.#heardUs > SILENCE_US) return this.#reconnect(stream.isDead ? 'DISCONNECTED' : 'SILENT');
    if (this.#final) this.#dropLater(stream);
    else if (nowUs >= this.#changeUs) return this.#change(stream);
    if (nowUs - this.#askedUs < PROGRESS_US) return;
    this.#askedUs = nowUs;
    stream.send({ kind: 'progress' });
  }

  #beginAnew(): void {
    for (const log of this.#watches.values()) log.over = true;
    this.#watches.clear();
    for (let id = this.#random.between(1, MAX_WATCHES); id > 0; id--) this.#begin(id);
    this.#changeUs = this.#parts.world.nowUs + this.#random.between(10, 120) * SECOND_US;
  }

  #begin(id: number): WatchLog {
    const { keys, coverage } = this.#parts;
    const log = new WatchLog(`${this.#number}.${this.logs.length + 1}`, drawWanted(this.#random, keys), this.#start());
    coverage.branch('watch begun');
    this.#watches.set(id, log);
    this.logs.push(log);
    return log;
  }

  /** Now, then or later. */
  #start(): number {
    const random = this.#random;
    const { newest } = this.#parts.history;
    const dice = random.below(10);
    if (dice < 4) return 0;
    if (dice < 8) return Math.max(1, newest - random.below(random.pick([20, 200, 2_000])));
    return newest + random.between(1, 30);
  }

  /** Others on the same stream, or all anew. */
  #change(stream: OpenStream): void {
    const [id] = this.#random.shuffled([...this.#watches.keys()]);
    if (id === undefined || this.#random.chance(1, 2)) {
      stream.close(this.#random.tail(SECOND_US));
      this.#beginAnew();
      return this.#connect();
    }
    this.#cancel(stream, id, this.#watches.get(id) as WatchLog);
    // What is under way of the old one must not be taken for the new one's.
    const fresh = Math.max(id, ...this.#watches.keys()) + MAX_WATCHES;
    this.#changeUs = this.#parts.world.nowUs + this.#random.between(10, 60) * SECOND_US;
    stream.send(createOf(fresh, this.#begin(fresh)));
  }

  /**
   * As in etcd, a stream is told of no progress while one of its watches begins later, which at the
   * end never comes.
   */
  #dropLater(stream: OpenStream): void {
    const { newest } = this.#parts.history;
    for (const [id, log] of this.#watches) if (log.next > newest + 1) this.#cancel(stream, id, log);
  }

  #cancel(stream: OpenStream, id: number, log: WatchLog): void {
    log.over = true;
    stream.send({ kind: 'cancel', watchId: id });
    this.#watches.delete(id);
  }

  #reconnect(code: string): void {
    const { world, coverage } = this.#parts;
    const stream = this.#stream;
    this.#stream = undefined;
    coverage.branch(`watch stream ended ${code}`);
    stream?.close(this.#random.tail(SECOND_US));
    for (const log of this.#watches.values()) log.disconnected();
    world.schedule(this.#backoffUs, () => {
      if (this.#stream === undefined) this.#connect();
    });
    this.#backoffUs = Math.min(2 * this.#backoffUs, MAX_BACKOFF_US);
  }

  #connect(): void {
    const { world, nodes, machines } = this.#parts;
    const stream = new OpenStream(this.#parts, 1 + ((this.#number - 1) % machines), this.#random.pick(membersOf(nodes)), this);
    this.#stream = stream;
    this.#created.clear();
    this.#heardUs = this.#askedUs = world.nowUs;
    // At once, while watches that begin in the past have yet to read it.
    const requests = [...[...this.#watches].map(([id, log]) => createOf(id, log)), { kind: 'progress' } as const];
    stream.open(requests, this.#random.chance(1, 2));
  }

  // What it hears.

  ended(code: string): void {
    this.#reconnect(code);
  }

  took(answer: Answer): number {
    const { world, coverage } = this.#parts;
    this.#heardUs = world.nowUs;
    world.trace.fold(answer.revision, this.#number);
    this.#hear(answer);
    if (this.#final || !this.#random.chance(this.#restsIn1000, 1_000)) return 0;
    const restUs = this.#random.between(5, 60) * SECOND_US;
    this.#restUntilUs = this.#heardUs = world.nowUs + restUs;
    coverage.branch('watch rests');
    return restUs;
  }

  #hear(answer: Answer): void {
    const { watchId, created, canceled, told, revision } = answer;
    if (watchId < 0 && !created) return this.#progressOfAll(revision);
    const log = this.#watches.get(watchId);
    if (canceled) return this.#canceled(answer, log);
    // Of one that was given up.
    if (log === undefined) return;
    if (created) {
      this.#created.add(watchId);
      this.#backoffUs = FIRST_BACKOFF_US;
      return log.created(revision);
    }
    if (told.length === 0) return this.#broken(log, log.progress(revision), 'progress');
    this.#broken(log, log.take(answer), answer.fragment ? 'fragment' : 'events');
    for (const each of told) {
      const other = this.#sightings.see(each);
      if (other === undefined) continue;
      const why = `of ${JSON.stringify(each.kv)} node ${other.node} told another watch ${JSON.stringify(other.kv)}`;
      this.#broken(log, { check: 'all watches are told the same', why }, '');
    }
  }

  #progressOfAll(revision: number): void {
    for (const id of this.#created) {
      const log = this.#watches.get(id);
      if (log !== undefined) this.#broken(log, log.progress(revision), 'progress of all');
    }
  }

  #canceled({ watchId, compactRevision, cancelReason, created }: Answer, log: WatchLog | undefined): void {
    if (created) return this.#parts.report('correctness', 'a sound watch is let in', `watch ${watchId}: ${cancelReason}`, this.#stream?.node.id ?? 0);
    if (log === undefined) return;
    this.#created.delete(watchId);
    if (compactRevision === 0) {
      this.#parts.dataLoss(this.#stream?.node.id ?? 0, cancelReason);
      log.lost = true;
      return this.#reconnect('LOST');
    }
    const asked = this.#parts.history.records.some(({ op, outcome }) => op.kind === 'compact' && op.revision === compactRevision && outcome?.kind !== 'refused');
    const wrong = asked ? undefined : { check: WATCH_COMPACTED, why: `compacted up to ${compactRevision}, for which nobody has asked` };
    this.#broken(log, wrong ?? log.compacted(compactRevision), 'compacted');
    this.#stream?.send(createOf(watchId, log));
  }

  #broken(log: WatchLog, breach: Breach | undefined, heard: string): void {
    const { coverage, report } = this.#parts;
    coverage.branch(`watch heard ${heard}`);
    if (breach !== undefined) report('correctness', breach.check, `${String(log)}: ${breach.why}`, this.#stream?.node.id ?? 0);
  }
}

function createOf(watchId: number, { wanted, next }: WatchLog): WatchRequest {
  const { key, end, ...flags } = wanted;
  return { kind: 'create', create: { key: keyBytes(key), rangeEnd: keyBytes(end), startRevision: next, watchId, ...flags } };
}
