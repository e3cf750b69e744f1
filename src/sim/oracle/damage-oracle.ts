/**
 * What a run knows of damage, in three parts. The *ledger* is what was done, the *census* what is
 * on the disks now, the *verdict* what follows from the two. Whoever does damage notes it here at
 * the moment at which it strikes, and whatever happens to a node is told here; questions go to the
 * part that they are about. The planner of faults asks before it strikes, checks ask before they
 * excuse.
 */

import type { KintsugiEvent } from '../../base/events.js';
import type { NodeId } from '../../base/ids.js';
import type { WatchedNode } from '../cluster/watched-node.js';
import type { DiskFault } from '../model/fault.js';
import type { World } from '../world/world.js';
import { Census } from './census.js';
import type { NodeFault } from './damage.js';
import { Ledger } from './ledger.js';
import { Roster } from './roster.js';
import { generationOf } from '../../replica/log/segment-layout.js';
import { Verdict } from './verdict.js';

export interface DamageOracleOptions {
  readonly world: Pick<World, 'nowUs'>;
  readonly nodes: readonly WatchedNode[];
}


export class DamageOracle {
  readonly ledger = new Ledger();
  readonly roster: Roster;
  readonly census: Census;
  readonly verdict: Verdict;
  readonly #world: Pick<World, 'nowUs'>;

  constructor({ world, nodes }: DamageOracleOptions) {
    this.#world = world;
    this.census = new Census(nodes, this.ledger);
    this.roster = new Roster(nodes);
    this.verdict = new Verdict(this.ledger, this.census, this.roster);
  }

  // --- What is done ---

  /**
   * A fault struck. `grave`: a node need not survive it alone (log records above the flushed index,
   * three slots of the hard state, both copies of a manifest record): only such damage excuses a
   * stop. A refusal of the disk (errors of writes, syncs, reads, no space) is noted when it
   * strikes, and excuses that the life which met it ends. `sticky-read-error`: the stretch is
   * unreadable until {@link noteMended}.
   */
  noteDamage(node: NodeId, path: string, offset: number, length: number, kind: DiskFault, grave = false): void {
    this.ledger.note(node, { atUs: this.#world.nowUs, path, offset, length, kind, grave });
    const generation = kind === 'sync-error' && path.startsWith('log/') ? generationOf(path.slice('log/'.length)) : undefined;
    const watched = this.census.node(node);
    if (generation === undefined || watched?.running === undefined) return;
    this.ledger.noteFailedSync(node, watched.lives, { index: watched.running.replica.log.lastIndex(), generation });
  }

  /** Nothing of that node gives read errors any more. */
  noteMended(node: NodeId): void {
    this.ledger.noteMended(node);
  }

  /** Its directory is about to be emptied, or put back to an older state. */
  noteFault(node: NodeId, what: NodeFault): void {
    const watched = this.census.node(node);
    this.ledger.noteFault(node, what, watched?.running === undefined ? undefined : watched.lives);
    this.census.onForgotten(node);
  }

  /**
   * Another member lives on that machine from now on. `fresh`: on an empty disk; otherwise what it
   * keeps are tables and what belongs to them.
   */
  noteReborn(node: NodeId, fresh: boolean): void {
    this.ledger.noteReborn(node, fresh);
    if (fresh) this.census.onForgotten(node);
  }

  // --- What happens ---

  onEvent(node: WatchedNode, event: KintsugiEvent): void {
    this.census.onEvent(node, event);
    this.roster.onEvent(event);
  }

  /** A replica is there: its directory is open. */
  onStart(node: WatchedNode): void {
    this.ledger.noteStart(node.id);
    this.census.onStart(node);
  }

  /** A life is over; what it ran can still be seen. */
  onDeath(node: WatchedNode): void {
    this.ledger.noteDeath(node.id, this.#world.nowUs);
    this.census.onDeath(node);
  }
}
