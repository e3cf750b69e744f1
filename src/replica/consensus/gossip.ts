/**
 * What members tell each other once a second and whenever it moves: who they are and how far their durable tables
 * reach. The log may be dropped only below a quorum's durable F, so each member must know the others'. Nothing here
 * is needed for safety beyond that rule, and a member that was not heard of counts as F = 0.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import type { MemberConfig } from '../base/member-config.js';

export interface MemberNews {
  readonly name: string;
  readonly clientUrls: readonly string[];
  /** F of the member's durable manifest. */
  readonly durableFlushed: LogIndex;
  readonly applied: LogIndex;
}

const MAX_URLS = 64;

/** What this member says of itself. */
export interface Self {
  readonly self: NodeId;
  readonly members: readonly MemberConfig[];
  readonly clientUrls: readonly string[];
}

export function newsOf({ clientUrls, members, self }: Self, durableFlushed: LogIndex, applied: LogIndex): MemberNews {
  return { name: members.find((member) => member.id === self)?.name ?? '', clientUrls, durableFlushed, applied };
}

export function encodeNews(news: MemberNews): Uint8Array {
  const out = new ByteWriter(64).text(news.name).varint(news.clientUrls.length);
  for (const url of news.clientUrls) out.text(url);
  return out.varint(news.durableFlushed).varint(news.applied).finish();
}

/** The record begins at `at`. */
export function decodeNews(bytes: Uint8Array, at = 0): MemberNews {
  const input = new ByteReader(bytes, 'gossip', at);
  const name = input.text();
  const count = input.count();
  if (count > MAX_URLS) throw new CodecError(`gossip with ${count} client URLs`);
  const clientUrls = Array.from({ length: count }, () => input.text());
  const news = { name, clientUrls, durableFlushed: input.varint(), applied: input.varint() };
  input.end();
  return news;
}

export class Gossip {
  readonly #self: NodeId;
  readonly #voters: readonly NodeId[];
  readonly #known = new Map<NodeId, MemberNews>();

  constructor(self: NodeId, voters: readonly NodeId[]) {
    this.#self = self;
    this.#voters = voters;
  }

  heard(from: NodeId, news: MemberNews): void {
    this.#known.set(from, news);
  }

  of(member: NodeId): MemberNews | undefined {
    return this.#known.get(member);
  }

  /** The highest index that a majority of voters hold in durable tables, as far as known here. */
  quorumFlushed(own: LogIndex): LogIndex {
    const flushed = this.#voters.map((id) => (id === this.#self ? own : (this.#known.get(id)?.durableFlushed ?? 0)));
    flushed.sort((a, b) => b - a);
    return flushed[Math.floor(this.#voters.length / 2)] ?? 0;
  }
}
