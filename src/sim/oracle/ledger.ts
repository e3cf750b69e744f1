/**
 * The ledger: which damage was done to which node, and when, noted at the moment at which it
 * struck. Always true: facts are only added (that a disk was mended, or that a life ended, is a
 * fact too), what was noted is never changed or taken back, and nothing here looks at a disk: what
 * became of the bytes is the census. So the ledger tells which cause outside the store there was;
 * whether it excuses anything is the verdict.
 */

import type { LogIndex, NodeId } from '../../base/ids.js';
import { areaOf, changesBytes, displaces, isRefusal, takesName, type Area, type Damage, type NodeFault } from './damage.js';

export interface Extent {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** Nothing behind `index` is durable in this segment, nor in an earlier one. */
export interface FailedSync {
  readonly index: LogIndex;
  readonly generation: number;
}

/** What was noted of one node, and what follows from it at present. */
class Account {
  damage: Damage[] = [];
  /** `life`: which was running when it lost its directory; undefined: none was. */
  faults: { readonly what: NodeFault; readonly life: number | undefined }[] = [];
  /** By life. */
  readonly failedSyncs = new Map<number, FailedSync[]>();
  /** Stretches that have given read errors since the disk was mended last. */
  unreadable: readonly Extent[] = [];
  /** When the newest life that is over ended: then the next one began. -1: none is over. */
  lifeBeganUs = -1;
  /** What was done to its files before this was met by a start. */
  metUs = -1;
  /** It is about to be removed from the cluster, or lost with all that it has. */
  leaves = false;
  /** It is about to be a voter. */
  rises = false;
}

/** Are a member's, not the machine's. */
const OF_PROMISES: readonly Area[] = ['log', 'hardstate', 'joined', 'recovering'];

export class Ledger {
  readonly #accounts = new Map<NodeId, Account>();

  // --- What is noted ---

  note(node: NodeId, damage: Damage): void {
    const account = this.#account(node);
    account.damage.push(damage);
    if (damage.kind === 'sticky-read-error') this.#spoil(account, damage);
  }

  noteFault(node: NodeId, what: NodeFault, life: number | undefined): void {
    this.#account(node).faults.push({ what, life });
  }

  /** A sync of a segment of its log failed in this life: that one is not synced again. */
  noteFailedSync(node: NodeId, life: number, failed: FailedSync): void {
    const { failedSyncs } = this.#account(node);
    failedSyncs.set(life, [...(failedSyncs.get(life) ?? []), failed]);
  }

  /** Nothing of that node gives read errors any more. */
  noteMended(node: NodeId): void {
    this.#account(node).unreadable = [];
  }

  /**
   * Nobody counts on it any more: an operator is about to remove it, or its machine is lost. False:
   * it stays after all.
   */
  noteLeaving(node: NodeId, leaves = true): void {
    const account = this.#account(node);
    account.leaves = leaves;
    if (leaves) account.rises = false;
  }

  /** An operator makes its member a voter, now or later. False: he does not after all. */
  noteRising(node: NodeId, rises = true): void {
    this.#account(node).rises = rises;
  }

  /**
   * Another member lives there from now on, which has promised nothing yet: what was done to log,
   * hard state and its name before is no cause of what becomes of it; nothing at all is, on an
   * empty disk.
   */
  noteReborn(node: NodeId, fresh: boolean): void {
    const account = this.#account(node);
    account.faults = [];
    account.leaves = false;
    if (fresh) account.unreadable = [];
    if (fresh) account.rises = false;
    account.damage = fresh ? [] : account.damage.filter(({ path }) => !OF_PROMISES.includes(areaOf(path)));
  }

  noteStart(node: NodeId): void {
    const account = this.#account(node);
    account.metUs = Math.max(0, account.lifeBeganUs);
  }

  noteDeath(node: NodeId, atUs: number): void {
    this.#account(node).lifeBeganUs = atUs;
  }

  // --- What it tells ---

  of(node: NodeId): readonly Damage[] {
    return this.#accounts.get(node)?.damage ?? [];
  }

  /** The newest grave damage to that part of the node. */
  grave(node: NodeId, area: Area): Damage | undefined {
    return this.of(node).findLast((damage) => damage.grave && areaOf(damage.path) === area);
  }

  /**
   * The newest grave damage to that part of the node that no start has met: a start takes the
   * version of a peer, and the entries of a log that others have.
   */
  unmet(node: NodeId, area: 'manifest' | 'log'): Damage | undefined {
    const damage = this.grave(node, area);
    return damage !== undefined && damage.atUs >= (this.#accounts.get(node)?.metUs ?? -1) ? damage : undefined;
  }

  /** The newest refusal of that node's disk that a process may end because of, after a time. */
  refused(node: NodeId, sinceUs = -1, area?: Area): Damage | undefined {
    return this.of(node).findLast((damage) =>
      damage.atUs > sinceUs && isRefusal(damage) && (area === undefined || areaOf(damage.path) === area));
  }

  /** A write or a sync of this very file was refused, after a time. */
  refusedAt(node: NodeId, path: string, sinceUs: number): boolean {
    return this.of(node).some((damage) => damage.path === path && damage.atUs > sinceUs && isRefusal(damage));
  }

  /** Bytes of that part were changed since a time. */
  changed(node: NodeId, area: Area, sinceUs = 0): Damage | undefined {
    return this.of(node).findLast((damage) => damage.atUs >= sinceUs && changesBytes(damage) && areaOf(damage.path) === area);
  }

  /**
   * A sector of this very file went bad since a time: nothing was changed, but who has no other
   * copy of it reads it no more.
   */
  spoiled(node: NodeId, path: string, sinceUs: number): boolean {
    return this.of(node).some((damage) => damage.path === path && damage.kind === 'sticky-read-error' && damage.atUs >= sinceUs);
  }

  /** The name of this very file was taken away. */
  renamed(node: NodeId, path: string): boolean {
    return this.of(node).some((damage) => damage.path === path && takesName(damage));
  }

  /** The newest read error of that part that does not come again, after a time. */
  unreadOnce(node: NodeId, sinceUs: number, area: Area): Damage | undefined {
    return this.of(node).findLast(({ atUs, kind, path }) => kind === 'read-error' && atUs > sinceUs && areaOf(path) === area);
  }

  /** Any damage at all to that part of the node, since a time. */
  any(node: NodeId, area: Area, sinceUs = 0): Damage | undefined {
    return this.of(node).findLast((damage) => damage.atUs >= sinceUs && areaOf(damage.path) === area);
  }

  /** The newest damage to a name or a size in that part of the node. */
  displaced(node: NodeId, area: Area): Damage | undefined {
    return this.of(node).findLast((damage) => displaces(damage) && areaOf(damage.path) === area);
  }

  leaves(node: NodeId): boolean {
    return this.#accounts.get(node)?.leaves === true;
  }

  rises(node: NodeId): boolean {
    return this.#accounts.get(node)?.rises === true;
  }

  suffered(node: NodeId, what: NodeFault): boolean {
    return this.#accounts.get(node)?.faults.some((fault) => fault.what === what) === true;
  }

  /**
   * Its directory was emptied or put back to an older state, ever: what it promised before, it may
   * not know.
   */
  forgets(node: NodeId): boolean {
    return (this.#accounts.get(node)?.faults.length ?? 0) > 0;
  }

  /**
   * The directory was taken from under this very life: what that has in memory is no longer on its
   * disk.
   */
  forgottenIn(node: NodeId, life: number): boolean {
    return this.#accounts.get(node)?.faults.some((fault) => fault.life === life) === true;
  }

  /** In that life, of this node's log. */
  failedSyncs(node: NodeId, life: number): readonly FailedSync[] {
    return this.#accounts.get(node)?.failedSyncs.get(life) ?? [];
  }

  /** When the life before the present one ended; -1: the present one is the first. */
  lifeBeganUs(node: NodeId): number {
    return this.#accounts.get(node)?.lifeBeganUs ?? -1;
  }

  /** A sector that cannot be read lies in this stretch of that node's file. */
  isUnreadable(node: NodeId, path: string, { offset, length }: Pick<Extent, 'offset' | 'length'>): boolean {
    const extents = this.#accounts.get(node)?.unreadable ?? [];
    return extents.some((extent) => extent.path === path && extent.offset < offset + length && offset < extent.offset + extent.length);
  }

  #spoil(account: Account, { path, offset, length }: Extent): void {
    const end = offset + length;
    const { unreadable } = account;
    const known = unreadable.some((extent) => extent.path === path && extent.offset <= offset && extent.offset + extent.length >= end);
    if (!known) account.unreadable = [...unreadable, { path, offset, length }];
  }

  #account(node: NodeId): Account {
    const known = this.#accounts.get(node);
    if (known !== undefined) return known;
    const account = new Account();
    this.#accounts.set(node, account);
    return account;
  }
}
