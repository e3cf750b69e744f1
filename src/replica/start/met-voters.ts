/**
 * When one that joins may begin although not all voters answer. It cannot show that it has promised
 * nothing before, and so has to be taken for one that has forgotten it. With an even number of
 * voters that does no harm while it is the only one: any two majorities share two of them, so what
 * it promised to one, another one remembers, who is in every other (R1, D1). It is the only one if
 * nobody else of that cluster can begin without his memory:
 *
 *   - those that answer have theirs, and make a majority with it;
 *   - those that do not were met by all of those: one that came back without his memory would have
 *     to ask a majority, which shares one of them, and would be told so;
 *   - those that answer know the voters alike, and hold no change of those that is not applied: so
 *     there is no newer configuration that it could have promised anything in. What it promised in
 *     an older one was settled before they applied the one after it.
 *
 * Without this a voter that is added while another one is lost for good would wait for that one,
 * and that one, to be re-admitted, for a majority that needs the new one.
 */

import { assert } from '../../base/assert.js';
import { MiB, type ByteReader, type ByteWriter } from '../../base/bytes.js';
import type { Workers } from '../../base/env.js';
import { CodecError } from '../../base/errors.js';
import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { EntryError } from '../entry/errors.js';
import { decodeMemberEntry } from '../entry/member-entry.js';
import { LogError } from '../log/errors.js';
import type { DurableLog } from '../log/durable-log.js';
import type { Membership } from '../state/membership.js';

/**
 * The voters of a configuration that nothing newer is known of, and the newest life of each that
 * was met; 0: none.
 */
export type MetVoters = ReadonlyMap<NodeId, number>;

/** Of a cluster that is being changed, or whose next change is not applied. */
export const NOT_KNOWN: MetVoters = new Map();

/** More than a cluster has voters. */
const MAX_VOTERS = 64;
/** Read at a time. */
const WINDOW_BYTES = MiB;

/**
 * Whether `self`, which joins, may begin with those that answered alone. `answers`: of each voter
 * that has its memory, knows nothing of `self`, and does not know whether it has all that was
 * committed.
 */
export function canMissTheRest(self: NodeId, answers: ReadonlyMap<NodeId, MetVoters>): boolean {
  const [first = NOT_KNOWN, ...others] = answers.values();
  const voters = [...first.keys()];
  assert(!answers.has(self), 'R5 a member does not vouch for itself');
  if (voters.length % 2 !== 0 || !first.has(self)) return false;
  if (others.some((other) => other.size !== first.size || !voters.every((voter) => other.has(voter)))) return false;
  if (![...answers.keys()].every((voter) => first.has(voter))) return false;
  const silent = voters.filter((voter) => voter !== self && !answers.has(voter));
  if ([...answers.values()].some((met) => silent.some((voter) => (met.get(voter) ?? 0) === 0))) return false;
  return answers.size + 1 > voters.length / 2;
}

export function writeMetVoters(out: ByteWriter, met: MetVoters): ByteWriter {
  out.u8(met.size);
  for (const [voter, life] of met) out.u53(voter).u53(life);
  return out;
}

/** Throws CodecError. An older program says nothing of it. */
export function readMetVoters(reader: ByteReader): MetVoters {
  if (reader.remaining === 0) return NOT_KNOWN;
  const count = reader.u8();
  const met = new Map<NodeId, number>();
  for (let i = 0; i < count; i++) met.set(reader.u53(), reader.u53());
  return met;
}

export interface VotersKnownParts {
  readonly env: { readonly workers: Pick<Workers, 'breathe'> };
  readonly membership: Pick<Membership, 'confState'>;
  readonly log: Pick<DurableLog, 'firstIndex' | 'lastIndex' | 'term' | 'entries'>;
  readonly progress: { readonly applied: { readonly value: LogIndex } };
}

/** What one that may answer knows. */
export class VotersKnown {
  readonly #parts: VotersKnownParts;
  /** No change of the voters was found after what was applied then, up to here. */
  #clear: { readonly index: LogIndex; readonly term: Term } = { index: 0, term: 0 };

  constructor(parts: VotersKnownParts) {
    this.#parts = parts;
  }

  /** `met`: the newest life of a member that was met. */
  async tell(met: (member: NodeId) => number): Promise<MetVoters> {
    if (!(await this.#nothingAhead())) return NOT_KNOWN;
    const { voters, votersOutgoing } = this.#parts.membership.confState;
    if (votersOutgoing.length > 0 || voters.length > MAX_VOTERS) return NOT_KNOWN;
    return new Map(voters.map((voter) => [voter, met(voter)]));
  }

  /** No entry after the applied ones changes who votes. */
  async #nothingAhead(): Promise<boolean> {
    const { env, log, progress } = this.#parts;
    let next = progress.applied.value + 1;
    const { index, term } = this.#clear;
    if (index >= next && index <= log.lastIndex() && log.term(index) === term) next = index + 1;
    try {
      while (next <= log.lastIndex()) {
        if (next < log.firstIndex()) return false;
        const entries = log.entries(next, log.lastIndex() + 1, WINDOW_BYTES);
        const last = entries.at(-1);
        if (last === undefined || entries.some(mayChangeVoters)) return false;
        next = last.index + 1;
        this.#clear = last;
        await env.workers.breathe();
      }
    } catch (error) {
      if (error instanceof LogError) return false;
      throw error;
    }
    // What was read may have been replaced meanwhile.
    const clear = this.#clear;
    return clear.index <= progress.applied.value || (clear.index <= log.lastIndex() && log.term(clear.index) === clear.term);
  }
}

/** What cannot be read may. */
function mayChangeVoters({ type, data }: Entry): boolean {
  if (type === 'normal') return false;
  try {
    const change = decodeMemberEntry(data)?.change;
    return change === undefined || !(change.kind === 'publish' || change.kind === 'update' || (change.kind === 'add' && change.learner));
  } catch (error) {
    if (error instanceof CodecError || error instanceof EntryError) return true;
    throw error;
  }
}
