/**
 * The verdict: what follows from ledger and census, for those who ask before they strike and before
 * they excuse. Always true: it keeps nothing and changes nothing, so that the same ledger and the
 * same census give the same answer, whoever asks and however often. "Must survive" and "may refuse"
 * are decided here, never guessed.
 *
 * A copy counts if the durable version of its node names it, and its node is not doomed: neither
 * stopped for good, nor about to stop because of damage that it need not survive.
 */

import type { Digest128, NodeId } from '../../base/ids.js';
import type { SpecifiedRegion } from '../../storage/table/table-layout.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { WatchedNode } from '../cluster/watched-node.js';
import type { Census } from './census.js';
import { isProven } from './damage.js';
import { excuseOf } from './excuses.js';
import type { Ledger } from './ledger.js';
import type { PristineTable } from './pristine-tables.js';
import type { Roster } from './roster.js';

export interface Copy {
  readonly node: NodeId;
  readonly path: string;
}

export class Verdict {
  readonly #ledger: Ledger;
  readonly #census: Census;
  readonly #roster: Roster;

  constructor(ledger: Ledger, census: Census, roster: Roster) {
    this.#ledger = ledger;
    this.#census = census;
    this.#roster = roster;
  }

  // --- Before a fault strikes ---

  /**
   * Whether these bytes of that file may go: another node has every block of a table that they
   * touch. Of a plan's output that no edit has named yet, another node must have the same bytes.
   * True for whatever is no table: that is for the planner's profile.
   */
  mayDamage(node: NodeId, path: string, offset: number, length: number): boolean {
    if (!path.startsWith('tables/')) return true;
    const meta = this.#census.metaOfPath(path);
    if (meta === undefined) return this.#sameElsewhere(node, path, offset, length);
    const pristine = this.#census.pristine(meta.fileDigest);
    if (pristine === undefined) return false;
    return pristine.touched(offset, length).every((region) => this.#holder(pristine, region, node) !== undefined);
  }

  /**
   * Whether all of that node's tables may go, or the node: another node has each of their blocks.
   */
  mayLose(node: NodeId): boolean {
    for (const meta of this.#census.tablesOf(node)) {
      const pristine = this.#census.pristine(meta.fileDigest);
      if (pristine === undefined) return false;
      if (!pristine.regions.every((region) => this.#holder(pristine, region, node) !== undefined)) return false;
    }
    return true;
  }

  /** Where a good copy of the block at `offset` lies, on another node than `except`. */
  goodCopyOf(digest: Digest128, offset: number, except?: NodeId): Copy | undefined {
    const pristine = this.#census.pristine(digest);
    const region = pristine?.touched(offset, 1)[0];
    return pristine === undefined || region === undefined ? undefined : this.#holder(pristine, region, except);
  }

  /**
   * Whether one machine more may be done without: all that was ever committed is still on a
   * majority of the voters whom somebody counts on, of both halves while the configuration is
   * joint. `leaves`: its member is no voter afterwards. Who is about to be a voter and cannot be
   * counted on is one already: its vote is missing from that change on.
   */
  maySpare(node: NodeId, leaves = false): boolean {
    const member = leaves ? this.#census.node(node)?.member : 0;
    return this.#roster.halves.every((half) => {
      const voters = half.filter((id) => id !== member);
      const whole = voters.filter((id) => this.#isWhole(id, node));
      const missing = [...this.#census.nodes].filter((each) =>
        this.#ledger.rises(each.id) && !half.includes(each.member) && (each.id === node || this.beyondRecall(each.id)));
      return whole.length > Math.floor((voters.length + missing.length) / 2);
    });
  }

  // --- Who can be counted on ---

  /**
   * It has stopped for good, or nobody should count on it before its next start is over. The rest
   * of its directory may be whole.
   */
  doomed(node: NodeId): boolean {
    if (isOut(this.#census.node(node)) || this.#ledger.leaves(node)) return true;
    return this.beyondRecall(node) || this.lostManifest(node);
  }

  /**
   * Nothing that it has is counted on any more, nor will be. One that a refusal of its disk ended,
   * or that lost its manifest or entries of its log, is back with its next start: then it may be
   * the only one with what others lost before.
   */
  beyondRecall(node: NodeId): boolean {
    return this.#ledger.forgets(node) || this.#ledger.grave(node, 'hardstate') !== undefined || this.#ledger.grave(node, 'joined') !== undefined;
  }

  /** It needs the version of a peer at its next start. */
  lostManifest(node: NodeId): boolean {
    return this.#ledger.unmet(node, 'manifest') !== undefined;
  }

  /** It needs entries of others at its next start, or has been asking for them since. */
  lacksEntries(node: NodeId): boolean {
    return this.#ledger.unmet(node, 'log') !== undefined;
  }

  /** Something was done to its log, at some time, that it need not survive alone. */
  damagedLog(node: NodeId): boolean {
    return this.#ledger.grave(node, 'log') !== undefined;
  }

  /**
   * The end of its manifest was destroyed, so that an earlier version passes for the last: files of
   * tables that this one names may be gone, rightly. Until it is where it was when it ended.
   */
  fellBack(node: NodeId): boolean {
    return this.#census.isBehindItsPast(node) && this.#ledger.grave(node, 'manifest') !== undefined;
  }

  // --- Before a check excuses ---

  /** Why this typed stop has its cause in damage done to that node; undefined: it has not. */
  excuse(node: NodeId, error: unknown): string | undefined {
    return excuseOf(this.#ledger, node, error);
  }

  /**
   * No node that can be reached has this stretch any more, not even by parity: DATA_LOSS is the
   * right answer for it.
   */
  everyCopyGone(digest: Digest128, offset: number, length: number): boolean {
    const pristine = this.#census.pristine(digest);
    return pristine !== undefined && pristine.touched(offset, length).some((region) => !this.#isAnywhere(pristine, region));
  }

  /**
   * A block of a table that some node still needs, and no node has: excuses DATA_LOSS, and that
   * healing does not end. Of those that stopped for good nothing counts, unless it is asked whether
   * one may have stopped: what is only on its disk is not lost.
   */
  lostBlock(countsStopped = false): string | undefined {
    const seen = new Set<Digest128>();
    for (const { id } of this.#census.nodes) {
      for (const meta of this.#census.tablesOf(id)) {
        if (seen.has(meta.fileDigest)) continue;
        seen.add(meta.fileDigest);
        const pristine = this.#census.pristine(meta.fileDigest);
        const lost = pristine?.regions.find((region) => !this.#isAnywhere(pristine, region, countsStopped));
        if (lost !== undefined) return `every copy of the ${lost.kind} block at ${lost.offset} of table ${meta.id} is gone`;
      }
    }
    return undefined;
  }

  /**
   * Any damage was noted to that file of that node, or to the whole node: what is wrong with it has
   * a cause outside the store.
   */
  touched(node: NodeId, path: string): boolean {
    return this.#ledger.of(node).some((damage) => damage.path === path) || this.#ledger.forgets(node);
  }

  /**
   * These bytes were struck on that node since, under this or another name, or under the one they
   * had while they were written.
   */
  struckSince(node: NodeId, { fileDigest }: TableMeta, sinceUs: number): boolean {
    return this.#ledger.of(node).some((damage) => {
      const { atUs, path } = damage;
      if (atUs < sinceUs || !path.startsWith('tables/') || isProven(damage)) return false;
      return path.endsWith('.tmp') || this.#census.isNameOf(path, fileDigest);
    });
  }

  // --- Counting ---

  #isWhole(member: NodeId, except: NodeId): boolean {
    const node = [...this.#census.nodes].find((each) => each.member === member);
    if (node === undefined || node.id === except || !this.#roster.isCaughtUp(node)) return false;
    return !this.doomed(node.id) && !this.lacksEntries(node.id);
  }

  #holder(pristine: PristineTable, region: SpecifiedRegion, except: NodeId | undefined): Copy | undefined {
    for (const node of this.#census.nodes) {
      if (node.id === except || this.doomed(node.id)) continue;
      const path = this.#census.goodPath(node, this.#census.durableTablesOf(node.id), pristine, region);
      if (path !== undefined) return { node: node.id, path };
    }
    return undefined;
  }

  #isAnywhere(pristine: PristineTable, region: SpecifiedRegion, countsStopped = false): boolean {
    for (const node of this.#census.nodes) {
      if (isOut(node) && !(countsStopped && node.state === 'fenced')) continue;
      if (this.#census.goodPath(node, this.#census.tablesOf(node.id), pristine, region) !== undefined) return true;
    }
    return false;
  }

  #sameElsewhere(node: NodeId, path: string, offset: number, length: number): boolean {
    const own = this.#census.node(node)?.disk.medium(path);
    if (own === undefined) return true;
    for (const other of this.#census.nodes) {
      if (other.id === node || this.doomed(other.id)) continue;
      const theirs = other.disk.medium(path);
      if (theirs?.length === own.length && sameStretch(own, theirs, offset, length)) return true;
    }
    return false;
  }
}

/** Stopped for good, or no member. */
function isOut(node: WatchedNode | undefined): boolean {
  return node?.state === 'fenced' || node?.state === 'away';
}

function sameStretch(a: Uint8Array, b: Uint8Array, offset: number, length: number): boolean {
  const end = Math.min(a.length, offset + length);
  for (let i = Math.max(0, offset); i < end; i++) if (a[i] !== b[i]) return false;
  return true;
}
