/**
 * What was done to each node, as the fault planner noted it: decides which typed stop of a node has a cause outside the store.
 * `grave` damage is damage that a node need not survive alone; what it must survive is noted too, and excuses nothing.
 */

import type { NodeId } from '../../base/ids.js';
import type { DiskFault } from '../model/fault.js';

/** To the whole node. `rolled-back`: its directory is one of an earlier time. */
export type NodeFault = 'wipe' | 'roll-back';

export interface Damage {
  readonly atUs: number;
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly kind: DiskFault;
  readonly grave: boolean;
}

export type Area = 'log' | 'hardstate' | 'manifest' | 'tables' | 'hints' | 'repairs' | 'other';

export function areaOf(path: string): Area {
  const end = path.search(/[/.]/);
  const first = end === -1 ? path : path.slice(0, end);
  switch (first) {
    case 'log':
    case 'hardstate':
    case 'manifest':
    case 'tables':
    case 'hints':
    case 'repairs':
      return first;
    default:
      return 'other';
  }
}

/** The disk refuses: no byte that was promised is lost by it, but a process may end of it. */
const REFUSALS: ReadonlySet<DiskFault> = new Set(['write-error', 'no-space', 'sync-error', 'sync-dir-error', 'read-error', 'sticky-read-error']);

/** What a reader gets is not what is stored; the next read may be good. */
export const READ_FAULTS: ReadonlySet<DiskFault> = new Set(['read-error', 'sticky-read-error', 'misread']);

/** They change nothing of what is stored: a promise that was kept is still there to be seen. */
const HARMLESS: ReadonlySet<DiskFault> = new Set(['slow-io', 'stalled-sync', 'read-error', 'sticky-read-error', 'misread', 'write-error', 'sync-error']);

/** After which a file that was there is not. */
const NAMES: ReadonlySet<DiskFault> = new Set(['missing', 'misnamed', 'unsynced-name-lost']);

const DISPLACED: ReadonlySet<DiskFault> = new Set(['missing', 'truncated', 'extended', 'misnamed', 'stale']);

export class DamageLedger {
  readonly #damage = new Map<NodeId, Damage[]>();
  readonly #faults = new Map<NodeId, { readonly atUs: number; readonly what: NodeFault }[]>();

  note(node: NodeId, damage: Damage): void {
    const known = this.#damage.get(node);
    if (known === undefined) this.#damage.set(node, [damage]);
    else known.push(damage);
  }

  noteFault(node: NodeId, what: NodeFault, atUs: number): void {
    const known = this.#faults.get(node);
    if (known === undefined) this.#faults.set(node, [{ atUs, what }]);
    else known.push({ atUs, what });
  }

  of(node: NodeId): readonly Damage[] {
    return this.#damage.get(node) ?? [];
  }

  /** The newest grave damage to that part of the node, to `path` if it is given. */
  grave(node: NodeId, area: Area): Damage | undefined {
    return this.of(node).findLast((damage) => damage.grave && areaOf(damage.path) === area);
  }

  /** The newest refusal of that node's disk that a process may end of, after a time: a table that cannot be read is not one. */
  refused(node: NodeId, sinceUs = -1, area?: Area): Damage | undefined {
    return this.of(node).findLast((damage) =>
      damage.atUs > sinceUs && REFUSALS.has(damage.kind) && !(damage.kind.endsWith('read-error') && areaOf(damage.path) === 'tables') &&
      (area === undefined || areaOf(damage.path) === area));
  }

  /** Bytes of that part were changed since a time. */
  changed(node: NodeId, area: Area, sinceUs = 0): Damage | undefined {
    return this.of(node).findLast((damage) => damage.atUs >= sinceUs && !HARMLESS.has(damage.kind) && areaOf(damage.path) === area);
  }

  /** A sector of this very file went bad since a time: nothing was changed, but who has no other copy of it reads it no more. */
  spoiled(node: NodeId, path: string, sinceUs: number): boolean {
    return this.of(node).some((damage) => damage.path === path && damage.kind === 'sticky-read-error' && damage.atUs >= sinceUs);
  }

  /** The name of this very file was taken away. */
  renamed(node: NodeId, path: string): boolean {
    return this.of(node).some((damage) => damage.path === path && NAMES.has(damage.kind));
  }

  /** The newest read error of that part that does not come again, after a time. */
  unreadOnce(node: NodeId, sinceUs: number, area: Area): Damage | undefined {
    return this.of(node).findLast(({ atUs, kind, path }) => kind === 'read-error' && atUs > sinceUs && areaOf(path) === area);
  }

  /** Any damage at all to that part of the node, since a time. */
  any(node: NodeId, area: Area, sinceUs = 0): Damage | undefined {
    return this.of(node).findLast((damage) => damage.atUs >= sinceUs && areaOf(damage.path) === area);
  }

  /** What was done to a name or a size stays until the file is replaced, and who has it open goes on elsewhere. */
  displaced(node: NodeId, area: Area): Damage | undefined {
    return this.of(node).findLast((damage) => DISPLACED.has(damage.kind) && areaOf(damage.path) === area);
  }

  suffered(node: NodeId, what: NodeFault): boolean {
    return (this.#faults.get(node) ?? []).some((fault) => fault.what === what);
  }
}
