/**
 * S6: no byte is installed whose digest a majority of voters (of each half, while the configuration
 * is joint) did not produce independently. Members
 * report what they produced for a seal or a plan to whoever leads; the leader compares whole
 * descriptions (digests, sizes, bounds, counts), so that nothing unconfirmed gets into an edit.
 * Lost reports are sent again until the seal or plan is gone.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { digest128 } from '../../base/digest.js';
import { CodecError } from '../../base/errors.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import type { Membership } from '../state/membership.js';
import { readProducedTable, writeProducedTable } from '../../storage/version/manifest-codec.js';
import { formatBirth, type ProducedTable } from '../../storage/table/table-meta.js';

/** Outputs of one seal or plan: a bound for decoding. */
const MAX_TABLES = 4096;

export interface Report {
  /** Log index of the seal or plan entry: the `sequence` of the births of what it gives. */
  readonly sequence: LogIndex;
  readonly outcome:
    | { readonly kind: 'produced'; readonly tables: readonly ProducedTable[] }
    /** A block that this member needs is lost on every member. */
    | { readonly kind: 'failed'; readonly why: string };
}

export function encodeReport(report: Report): Uint8Array {
  assert(report.outcome.kind === 'failed' || report.outcome.tables.length <= MAX_TABLES, 'S6 what is reported can be read by whoever leads');
  const out = new ByteWriter(512).varint(report.sequence);
  if (report.outcome.kind === 'failed') return out.u8(0).text(report.outcome.why).finish();
  out.u8(1);
  writeTables(out, report.outcome.tables);
  return out.finish();
}

export function decodeReport(bytes: Uint8Array): Report {
  const input = new ByteReader(bytes, 'report');
  const sequence = input.varint();
  const kind = input.u8();
  if (kind === 0) return { sequence, outcome: { kind: 'failed', why: input.text() } };
  if (kind !== 1) throw new CodecError(`report of unknown kind ${kind}`);
  const count = input.count(16);
  if (count > MAX_TABLES) throw new CodecError(`report of ${count} tables`);
  const tables = Array.from({ length: count }, () => readProducedTable(input));
  input.end();
  // S6 What is agreed on is installed: an output of another plan must not be said to be this one's.
  tables.forEach(({ birth }, ordinal) => {
    if (birth.sequence === sequence && birth.ordinal === ordinal) return;
    throw new CodecError(`report of plan ${sequence}: output ${ordinal} is ${formatBirth(birth)}`);
  });
  return { sequence, outcome: { kind: 'produced', tables } };
}

function writeTables(out: ByteWriter, tables: readonly ProducedTable[]): void {
  out.varint(tables.length);
  for (const table of tables) writeProducedTable(out, table);
}

/** Two productions agree if their fingerprints are equal: digests of all that is said of them. */
function fingerprint(tables: readonly ProducedTable[]): string {
  const out = new ByteWriter(512);
  writeTables(out, tables);
  return digest128(out.view());
}

export type Verdict =
  | { readonly kind: 'pending' }
  | { readonly kind: 'agreed'; readonly tables: readonly ProducedTable[]; readonly dissenters: readonly NodeId[] }
  /** Everybody reported and no majority agrees. */
  | { readonly kind: 'split'; readonly nodes: readonly NodeId[] }
  /** What was produced differs, and who has not reported yet would have to decide. */
  | { readonly kind: 'open'; readonly nodes: readonly NodeId[] }
  /** A majority cannot carry it out. */
  | { readonly kind: 'failed'; readonly why: string };

interface Vote {
  readonly fingerprint: string;
  readonly report: Report;
}

export class Agreement {
  readonly #membership: Pick<Membership, 'voters' | 'isQuorum'>;
  /** By sequence; of voters only, the newest report of each. */
  readonly #votes = new Map<LogIndex, Map<NodeId, Vote>>();
  readonly #subscribers: (() => void)[] = [];

  constructor(membership: Pick<Membership, 'voters' | 'isQuorum'>) {
    this.#membership = membership;
  }

  /** After each report that was recorded, at once. */
  subscribe(subscriber: () => void): void {
    this.#subscribers.push(subscriber);
  }

  /** The newest report of a member counts. Reports of non-voters are ignored. */
  record(from: NodeId, report: Report): void {
    if (this.#membership.voters.includes(from)) this.#record(from, report);
    for (const subscriber of this.#subscribers) subscriber();
  }

  #record(from: NodeId, report: Report): void {
    assert(report.sequence > 0, 'S6 what is reported is about an entry of the log');
    let votes = this.#votes.get(report.sequence);
    if (!votes) this.#votes.set(report.sequence, (votes = new Map()));
    const print = report.outcome.kind === 'produced' ? fingerprint(report.outcome.tables) : 'failed';
    votes.set(from, { fingerprint: print, report });
    for (const node of votes.keys()) if (!this.#membership.voters.includes(node)) votes.delete(node);
    assert(votes.size <= this.#membership.voters.length, `S6 a voter has one vote: ${votes.size} for entry ${report.sequence}`);
  }

  verdict(sequence: LogIndex): Verdict {
    const { voters } = this.#membership;
    // Who reported may be no voter any more.
    const votes = new Map([...(this.#votes.get(sequence) ?? [])].filter(([node]) => voters.includes(node)));
    if (votes.size === 0) return { kind: 'pending' };
    const tally = new Map<string, NodeId[]>();
    for (const [node, vote] of votes) tally.set(vote.fingerprint, [...(tally.get(vote.fingerprint) ?? []), node]);
    for (const [print, nodes] of tally) {
      if (!this.#membership.isQuorum(new Set(nodes))) continue;
      const outcome = (votes.get(nodes[0] as NodeId) as Vote).report.outcome;
      if (outcome.kind === 'failed') return { kind: 'failed', why: outcome.why };
      assert(nodes.every((node) => voters.includes(node)), `S6 only voters confirm entry ${sequence}`);
      const dissenters = [...votes].filter(([, vote]) => vote.fingerprint !== print).map(([node]) => node);
      assert(nodes.length + dissenters.length === votes.size, `S6 each vote on entry ${sequence} counts once`);
      return { kind: 'agreed', tables: outcome.tables, dissenters };
    }
    assert(votes.size > 0 && votes.size <= voters.length, `S6 ${votes.size} of ${voters.length} voters reported entry ${sequence}`);
    const nodes = [...votes.keys()];
    if (votes.size === voters.length) return { kind: 'split', nodes };
    const differ = new Set([...votes.values()].filter(({ report }) => report.outcome.kind === 'produced').map((vote) => vote.fingerprint)).size > 1;
    return differ ? { kind: 'open', nodes } : { kind: 'pending' };
  }

  forget(sequence: LogIndex): void {
    this.#votes.delete(sequence);
  }

  /** Keeps only what is still pending: reports come again to whoever leads. */
  retain(sequences: ReadonlySet<LogIndex>): void {
    for (const sequence of this.#votes.keys()) if (!sequences.has(sequence)) this.#votes.delete(sequence);
  }
}
