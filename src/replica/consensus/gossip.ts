/**
 * What members tell each other once a second and whenever it moves, and to one that they hear of
 * for the first time at once: who they are, what version of the cluster they know, and how far
 * their durable tables reach. The log may be dropped only below
 * the flushed index that a quorum has made durable, and the version raised only to what all know,
 * so each member must know the others'. Nothing here is needed for safety beyond those two rules:
 * a member that was not heard of counts as one that flushed nothing and knows the first version.
 *
 * R2 R5 a member whose hard state is of no term yet says nothing: whoever was heard of counts as
 * met, and as one that may have promised something; its files must show that at its next start.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { assert } from '../../base/assert.js';
import { CodecError } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { ClusterVersion, LogIndex, NodeId } from '../../base/ids.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { DurableLog } from '../log/durable-log.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Membership } from '../state/membership.js';
import type { Progress } from '../state/progress.js';
import { FRAME_GOSSIP, frame } from '../wire/frame.js';

export interface MemberNews {
  readonly name: string;
  readonly clientUrls: readonly string[];
  /** The flushed index of the member's durable manifest. */
  readonly durableFlushed: LogIndex;
  readonly applied: LogIndex;
  /** The newest version of the cluster that the member's program knows. */
  readonly newest: ClusterVersion;
}

const MAX_URLS = 64;
/** Whoever was not heard of, or has not moved, for so long, is not waited for by anybody. */
const MOVING_MS = 4_000;

interface Known {
  readonly news: MemberNews;
  readonly heardAt: number;
  /** When it last told of more that it had applied. */
  readonly movedAt: number;
}

export function encodeNews(news: MemberNews): Uint8Array {
  const out = new ByteWriter(64).text(news.name).varint(news.clientUrls.length);
  for (const url of news.clientUrls) out.text(url);
  return out.varint(news.durableFlushed).varint(news.applied).varint(news.newest).finish();
}

/** Throws CodecError. */
export function decodeNews(bytes: Uint8Array): MemberNews {
  const input = new ByteReader(bytes, 'gossip');
  const name = input.text();
  const count = input.count();
  if (count > MAX_URLS) throw new CodecError(`gossip with ${count} client URLs`);
  const clientUrls = Array.from({ length: count }, () => input.text());
  const news = { name, clientUrls, durableFlushed: input.varint(), applied: input.varint(), newest: input.varint() };
  input.end();
  return news;
}

export interface GossipParts {
  readonly env: Env;
  readonly membership: Membership;
  readonly progress: Progress;
  readonly clientUrls: readonly string[];
  readonly state: Pick<ReplicatedState, 'newest'>;
  readonly hardState: Pick<HardStateStore, 'current'>;
  readonly log: Pick<DurableLog, 'firstIndex'>;
}

export class Gossip {
  readonly #parts: GossipParts;
  /** The last news of each other member. */
  readonly #known = new Map<NodeId, Known>();
  #saidAt = 0;
  #hasSpoken = false;
  /** See {@link slowest}. */
  #slowest: LogIndex = Infinity;
  /** By version: when a member that knows no newer one was last heard. This program's are not. */
  readonly #olderAt = new Map<ClusterVersion, number>();

  constructor(parts: GossipParts) {
    this.#parts = parts;
    parts.membership.subscribe(() => {
      for (const id of parts.membership.removed) this.#forget(id);
    });
  }

  /** Tells all others how things stand here, once this member is in a term. */
  say(): void {
    const { env, membership } = this.#parts;
    const now = env.clock.now();
    assert(now >= this.#saidAt, `D1 time goes on: ${now} after ${this.#saidAt}`);
    this.#saidAt = now;
    this.#look(now);
    if (!this.#inATerm) return;
    this.#hasSpoken = true;
    const body = this.#news();
    for (const id of membership.addresses.keys()) env.network.send(id, body);
  }

  /** Called often: the first news of a new member leave with its first term. */
  tick(): void {
    if (!this.#hasSpoken && this.#inATerm) this.say();
  }

  get #inATerm(): boolean {
    return (this.#parts.hardState.current?.term ?? 0) > 0;
  }

  #news(): Uint8Array {
    const { membership, progress, clientUrls, state } = this.#parts;
    const name = membership.nameOf(membership.self);
    const { newest } = state;
    return frame(FRAME_GOSSIP, encodeNews({ name, clientUrls, durableFlushed: progress.flushed, applied: progress.applied.value, newest }));
  }

  heard(from: NodeId, news: MemberNews): void {
    if (this.#parts.membership.isRemoved(from)) return;
    const now = this.#parts.env.clock.now();
    if (news.newest < this.#parts.state.newest) this.#olderAt.set(news.newest, now);
    const before = this.#known.get(from);
    const moved = before === undefined || news.applied > before.news.applied;
    this.#known.set(from, { news, heardAt: now, movedAt: moved ? now : before.movedAt });
    this.#look(now);
    if (before === undefined && this.#hasSpoken) this.#parts.env.network.send(from, this.#news());
  }

  /** Something came from that member within so many milliseconds. */
  isFresh(member: NodeId, withinMs: number): boolean {
    return this.#parts.env.clock.now() - (this.#known.get(member)?.heardAt ?? -Infinity) <= withinMs;
  }

  /** Whether a member that knows nothing above `version` was heard since then. */
  heardOlder(version: ClusterVersion, since: number): boolean {
    return [...this.#olderAt].some(([newest, at]) => newest <= version && at >= since);
  }

  #forget(member: NodeId): void {
    this.#known.delete(member);
    this.#look(this.#parts.env.clock.now());
  }

  of(member: NodeId): MemberNews | undefined {
    return this.#known.get(member)?.news;
  }

  /**
   * What the slowest of the others has applied that are alive and come nearer through the log;
   * Infinity: none is known to. One that is down, stands still, or is to get tables because the log
   * has no more what it needs, is nobody's measure.
   */
  get slowest(): LogIndex {
    return this.#slowest;
  }

  #look(now: number): void {
    let slowest = Infinity;
    const first = this.#parts.log.firstIndex();
    for (const { news, heardAt, movedAt } of this.#known.values()) {
      if (news.applied + 1 < first) continue;
      if (now - heardAt <= MOVING_MS && now - movedAt <= MOVING_MS) slowest = Math.min(slowest, news.applied);
    }
    this.#slowest = slowest;
  }

  /**
   * The highest index that a majority of voters (of each half) hold in durable tables, as far as
   * known here.
   */
  quorumFlushed(own: LogIndex): LogIndex {
    const { membership } = this.#parts;
    return membership.reachedByQuorum((id) => (id === membership.self ? own : (this.#known.get(id)?.news.durableFlushed ?? 0)));
  }
}
