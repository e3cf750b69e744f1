/**
 * H1, H2: rot that a read met and parity corrected becomes a hint, without a scrub. A read leaves a
 * note, and a second reading, past the caches, confirms it within moments; the corrected block
 * stays in the cache, so that nobody may ever meet the fault again.
 */

import type { Replica } from '../../../replica/replica.js';
import type { BlockFaults, Region } from '../../../storage/table/block-faults.js';
import { tablePath, type TableMeta } from '../../../storage/table/table-meta.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

/** Two are confirmed at a time, and a disk may stall. */
const WITHIN_US = 30_000_000;

interface Met {
  readonly meta: TableMeta;
  readonly region: Region;
  readonly sinceUs: number;
}

export class FaultsNoted {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  /** Of the present life of each node, by table and offset. */
  readonly #met = new Map<number, { readonly replica: Replica; readonly faults: Map<string, Met> }>();

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  /** Listens to what its reads say, from now on. */
  watch(node: WatchedNode, replica: Replica): void {
    const faults = new Map<string, Met>();
    this.#met.set(node.id, { replica, faults });
    const heard = node.running?.healing.faults as { corrected: BlockFaults['corrected'] } | undefined;
    if (heard === undefined) return;
    const corrected = heard.corrected.bind(heard);
    heard.corrected = (meta, region, how) => {
      const key = `${meta.id}:${region.offset}`;
      if (!faults.has(key) && this.#isRotten(node, meta, region)) faults.set(key, { meta, region, sinceUs: this.#reporter.nowUs });
      corrected(meta, region, how);
    };
  }

  /** Each second. */
  step(node: WatchedNode): void {
    const met = this.#met.get(node.id);
    if (met === undefined || met.faults.size === 0 || node.running?.replica !== met.replica) return;
    const hinted = new Set(node.running.healing.hints().filter((hint) => hint.node === node.member).map((hint) => hint.tableId));
    const { tree } = met.replica;
    const versions = [tree.durable, tree.latest, tree.materialized];
    const live = new Set(versions.flatMap((version) => [...version.tables().keys()]));
    for (const [key, { meta, region, sinceUs }] of met.faults) {
      const over = hinted.has(meta.id) || !live.has(meta.id) || !this.#isRotten(node, meta, region) ||
        this.#unconfirmed(node.id, meta, sinceUs);
      if (!over && this.#reporter.nowUs - sinceUs <= WITHIN_US) continue;
      met.faults.delete(key);
      if (over) continue;
      this.#reporter.broken('a corrected read of rot leaves a hint', node.id,
        `H1 node ${node.id} corrected the ${region.kind} block at ${region.offset} of table ${meta.id} ${WITHIN_US / 1_000_000} s ago, which is as rotten on its medium as then, and has no hint`);
    }
  }

  #isRotten(node: WatchedNode, meta: TableMeta, { offset, length }: Region): boolean {
    if (this.#oracle.census.isUnreadable(node.id, meta.id, { offset, length })) return true;
    return this.#oracle.census.faultsOf(node.id, meta)?.some(({ region }) => region.offset === offset) === true;
  }

  /**
   * The second reading may have failed: the next read of the block leaves another note, if one
   * comes.
   */
  #unconfirmed(node: number, meta: TableMeta, sinceUs: number): boolean {
    const path = tablePath(meta.id);
    return this.#oracle.ledger.of(node).some((damage) => damage.path === path && damage.atUs >= sinceUs && (damage.kind === 'read-error' || damage.kind === 'misread'));
  }
}
