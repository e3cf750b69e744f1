/**
 * Whom a member can ask that has no state yet, and so does not know who the members are now: those
 * of its flags, or that it was told of when it joined; those that its own log has added; and those
 * that any of them name. Only for asking: who makes a majority is not decided by it.
 *
 * While this member was away, all others may have been re-admitted or replaced: who does not answer
 * under the id that is known is asked at his URL, as whoever is found there. Members at other
 * places talk to this one, which is a member, too: whoever does is asked who they are.
 *
 * R5 D1 Whoever talks is a member by his own word alone. It is heard only if it has room for all
 * that is known here: this member and himself are members, and so is, or was, everyone whom flags
 * and tables name. And it adds to whom can be asked, but takes nobody's place: who is named by such
 * words alone is not `isNamed`, and neither ends this member nor lets it take part.
 */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import { CodecError, codeOf } from '../../base/errors.js';
import { formatId, type NodeId } from '../../base/ids.js';
import { decodeMemberEntry } from '../entry/member-entry.js';
import { logAtRest } from '../log/log-at-rest.js';
import { decodeDescription, DESCRIBE_METHOD, type ClusterDescription } from '../state/description.js';
import { goneBy, type Members } from '../state/members.js';
import type { Membership } from '../state/membership.js';

export const PEERS_FOUND = 'other members are asked than the flags name';

const ASK_MS = 2_000;
/** More than a cluster has members, and bounds what a peer can name. */
const MAX_PEERS = 64;
/** So many are left to those that are named otherwise. */
const MAX_BY_GUESTS = 32;

interface Addressed {
  readonly id: NodeId;
  readonly peerUrls: readonly string[];
}

export class KnownPeers {
  readonly #env: Env;
  readonly self: NodeId;
  readonly #clusterId: bigint;
  readonly #addresses: Map<NodeId, readonly string[]>;
  readonly #removed = new Set<NodeId>();
  readonly #voters = new Set<NodeId>();
  /** By what is on this disk or in its flags, or by those that these name. */
  readonly #named: Set<NodeId>;
  /** Of those whoever is, or ever was, a member for certain. */
  readonly #certain: Set<NodeId>;

  constructor(env: Env, membership: Pick<Membership, 'self' | 'addresses'>, clusterId: bigint) {
    this.#env = env;
    this.self = membership.self;
    this.#clusterId = clusterId;
    this.#addresses = new Map(membership.addresses);
    this.#named = new Set(this.#addresses.keys());
    this.#certain = new Set(this.#addresses.keys());
    assert(!this.#addresses.has(this.self), 'a member does not ask itself');
  }

  get peers(): readonly NodeId[] {
    return [...this.#addresses.keys()];
  }

  /** Not by the word of those alone that only talk to this member. */
  isNamed(id: NodeId): boolean {
    return this.#named.has(id);
  }

  /** Somebody has said that it votes. */
  isVoter(id: NodeId): boolean {
    return this.#voters.has(id);
  }

  /** What the tables say. Where others have told this member who they are, they know better. */
  addFromTables({ list, removed }: Members, wasTold: boolean): void {
    for (const id of removed) this.#removed.add(id);
    for (const { id } of list) if (id !== this.self) this.#certain.add(id);
    this.#learn(list.filter(({ id }) => !wasTold || !this.#addresses.has(id)));
  }

  /**
   * What the log here says, as far as it can be read. Nothing of it is changed. R5 Who is removed
   * by an entry that is not known to be committed may be a member still, and the only one to ask.
   */
  async readLog(): Promise<void> {
    const log = await logAtRest(this.#env.disk, { index: 0, term: 0 }, 0);
    const found: Addressed[] = [];
    for (let index = log.base.index + 1; index <= log.lastIndex; index++) {
      if (log.isHole(index)) continue;
      const entry = await log.read(index);
      if (entry === undefined || entry.type === 'normal') continue;
      try {
        const member = decodeMemberEntry(entry.data);
        if (member === undefined) continue;
        found.push(...member.base);
        const { change } = member;
        if (change.kind === 'add' || change.kind === 'update') found.push(change);
        if (index <= log.commit) for (const id of goneBy(change)) this.#removed.add(id);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
      }
    }
    this.#learn(found);
  }

  /** What those that are known say of the others; who does not answer says nothing. */
  async askWho(): Promise<void> {
    const asked = [...this.#addresses].map(async ([peer, urls]) => ({ from: peer, said: await this.#describe(peer, urls) }));
    for (const guest of this.#env.network.guests()) {
      if (this.#addresses.has(guest) || this.#removed.has(guest)) continue;
      asked.push(this.#describe(guest, []).then((said) => ({ from: guest, said })));
    }
    for (const { from, said } of await Promise.all(asked)) {
      if (said === undefined) continue;
      if (this.#named.has(from)) this.#hear(said.members);
      else this.#hearGuest(from, said.members);
    }
  }

  #hear({ list, removed, confState }: Members): void {
    for (const id of removed) this.#removed.add(id);
    for (const id of [...confState.voters, ...confState.votersOutgoing]) this.#voters.add(id);
    this.#learn(list);
  }

  #hearGuest(guest: NodeId, { list, removed, confState }: Members): void {
    const present = new Set(list.map(({ id }) => id));
    const isKnown = (id: NodeId): boolean => present.has(id) || removed.includes(id);
    if (!present.has(this.self) || !present.has(guest) || ![...this.#certain].every(isKnown)) return;
    for (const id of [...confState.voters, ...confState.votersOutgoing]) this.#voters.add(id);
    this.#learn(list.filter(({ id }) => !this.#named.has(id)), true);
  }

  #learn(found: readonly Addressed[], byGuest = false): void {
    const before = this.#text();
    for (const { id, peerUrls } of found) {
      if (id === this.self || peerUrls.length === 0) continue;
      if (!this.#addresses.has(id) && this.#addresses.size >= (byGuest ? MAX_BY_GUESTS : MAX_PEERS)) continue;
      this.#addresses.set(id, peerUrls);
      if (!byGuest) this.#named.add(id);
    }
    for (const id of this.#removed) this.#addresses.delete(id);
    if (this.#text() === before) return;
    this.#env.network.setPeers(this.#addresses, []);
    this.#env.events.emit({ type: 'warning', message: PEERS_FOUND, data: { peers: this.peers.map(formatId).join(', ') } });
  }

  #text(): string {
    return JSON.stringify([...this.#addresses].sort(([a], [b]) => a - b));
  }

  async #describe(peer: NodeId, [url]: readonly string[]): Promise<ClusterDescription | undefined> {
    const { network } = this.#env;
    const told = await this.#described(() => network.call(peer, DESCRIBE_METHOD, EMPTY, ASK_MS));
    return told ?? (url === undefined ? undefined : this.#described(() => network.describe(url, ASK_MS)));
  }

  async #described(ask: () => Promise<Uint8Array>): Promise<ClusterDescription | undefined> {
    try {
      const answer = decodeDescription(await ask());
      return answer.clusterId === this.#clusterId ? answer : undefined;
    } catch (error) {
      if (codeOf(error) === undefined && !(error instanceof CodecError)) throw error;
      return undefined;
    }
  }
}
