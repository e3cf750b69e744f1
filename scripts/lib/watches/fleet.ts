/**
 * All watchers of the drill: of every kind, through every member, over gRPC and through the
 * published client; some that read slowly, that go away for long, that begin late in the past.
 */

import { connect, type Client } from '../../../src/client/client.js';
import { onExit } from '../command.js';
import { ClientWatch } from './client-watch.js';
import { Follower, type Want } from './follower.js';
import type { History } from './history.js';
import { RawStream } from './raw-stream.js';
import { GROUPS } from './writers.js';

const PLAIN: Want = { key: '', prefix: true, prevKv: false, noPut: false, noDelete: false, fragment: false };

interface Kind {
  readonly name: string;
  readonly want: Want;
}

const kind = (name: string, want: Partial<Want>): Kind => ({ name, want: { ...PLAIN, ...want } });

/** On one stream. */
const TOGETHER: readonly Kind[] = [
  kind('all keys, prev_kv', { prevKv: true }),
  kind('k/, puts only', { key: 'k/', noDelete: true }),
  kind('k/, deletes only, prev_kv', { key: 'k/', noPut: true, prevKv: true }),
  kind('one busy key', { key: 'm/w0', prefix: false }),
  kind('one quiet key, prev_kv', { key: 'k/0/0', prefix: false, prevKv: true }),
];
const IN_PIECES: readonly Kind[] = [kind('all keys, prev_kv, fragment', { prevKv: true, fragment: true })];
const SLOW: readonly Kind[] = [kind('slow: all keys, fragment', { fragment: true }), kind('slow: k/1/', { key: 'k/1/' })];
const STRAGGLER: readonly Kind[] = [kind('straggler: all keys, prev_kv', { prevKv: true })];
const THROUGH_CLIENT: readonly Kind[] = [kind('client: all keys, prev_kv', { prevKv: true }), kind('client: k/2/, puts only', { key: 'k/2/', noDelete: true })];

export class Fleet {
  readonly #history: History;
  readonly #urls: readonly string[];
  readonly #client: Client;
  readonly #random: () => number;
  readonly followers: Follower[] = [];
  readonly #streams: RawStream[] = [];
  readonly #slow: RawStream[] = [];
  readonly #stragglers: RawStream[] = [];
  readonly #watches: ClientWatch[] = [];
  late = 0;

  constructor(history: History, urls: readonly string[], random: () => number) {
    this.#history = history;
    this.#urls = urls;
    this.#random = random;
    this.#client = connect({ endpoints: urls });
    onExit(() => this.close());
  }

  get calls(): number {
    return this.#streams.reduce((sum, { calls }) => sum + calls, 0);
  }

  /** From the first revision on, but for those in pieces: they begin with what comes. */
  start(): void {
    for (const [i, url] of this.#urls.entries()) {
      this.#raw(url, `n${i + 1}`, TOGETHER, 1);
      this.#raw(url, `n${i + 1}`, IN_PIECES, 0);
      this.#slow.push(this.#raw(url, `n${i + 1}`, SLOW, 1));
      this.#stragglers.push(this.#raw(url, `n${i + 1}`, STRAGGLER, 1, false));
      for (const { name, want } of THROUGH_CLIENT) this.#throughClient(`n${i + 1}, ${name}`, want, 1, url);
    }
    for (const { name, want } of THROUGH_CLIENT) this.#throughClient(`anywhere, ${name}`, want, 1);
  }

  #pick(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #raw(url: string, at: string, kinds: readonly Kind[], begin: number, regular = true): RawStream {
    const followers = kinds.map(({ name, want }) => new Follower(this.#history, `${at}, ${name}`, want, begin, regular));
    this.followers.push(...followers);
    const stream = new RawStream(url, followers);
    this.#streams.push(stream);
    return stream;
  }

  #throughClient(name: string, want: Want, begin: number, url?: string): void {
    const follower = new Follower(this.#history, name, want, begin);
    this.followers.push(follower);
    this.#watches.push(new ClientWatch(this.#client, follower, url));
  }

  /** Two more watchers at one member, from somewhere in the past that is not compacted. */
  joinLate(compacted: number): void {
    const i = this.#pick(this.#urls.length);
    const first = compacted + 1;
    const begin = first + this.#pick(Math.max(1, this.#history.last - first));
    const group = this.#pick(GROUPS);
    this.late++;
    const kinds = [kind(`late, from ${begin}: k/${group}/, prev_kv`, { key: `k/${group}/`, prevKv: true }), kind(`late, from ${begin}: one key`, { key: `m/w${group}`, prefix: false })];
    this.#raw(this.#urls[i] as string, `n${i + 1}`, kinds, begin);
  }

  /** Everything that is not compacted, read anew through every member. */
  joinAfter(compacted: number): void {
    for (const [i, url] of this.#urls.entries()) {
      this.#raw(url, `n${i + 1}, at the end`, [...TOGETHER, ...IN_PIECES], compacted + 1);
      this.#throughClient(`n${i + 1}, at the end, all keys`, { ...PLAIN, prevKv: true }, compacted + 1, url);
    }
  }

  /** Some stop reading for a while, or go on. */
  setSlow(slow: boolean): void {
    for (const stream of this.#slow) stream.setReading(!slow);
  }

  /** One hangs up, another only stops reading; or both come back. */
  setStraggling(away: boolean): void {
    const [first, second, third] = this.#stragglers;
    first?.setAway(away);
    second?.setReading(!away);
    third?.setAway(away);
  }

  judge(): void {
    for (const follower of this.followers) follower.judge();
  }

  /** Those that have not heard all up to `revision`. */
  behind(revision: number): Follower[] {
    return this.followers.filter(({ next }) => next <= revision);
  }

  close(): void {
    for (const stream of this.#streams) stream.close();
    for (const watch of this.#watches) watch.close();
    this.#client.close();
  }
}
