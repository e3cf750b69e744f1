/**
 * The part of `/status` that scripts read. Everything is optional to a script: an older node may
 * lack a field.
 */

export interface TableStatus {
  readonly id: number;
  readonly level: number;
  readonly bytes: number;
  readonly digest: string;
}

export interface HintStatus {
  readonly tableId: number;
  readonly kind: string;
  readonly node: number | string;
  readonly state: string;
}

export interface NodeStatus {
  readonly name: string;
  readonly memberId: number | string;
  readonly role: string;
  readonly term: number;
  readonly leader: number | string;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly materializedIndex: number;
  readonly revision: number;
  readonly clusterVersion?: number;
  readonly newestVersion?: number;
  readonly memtableBytes?: number;
  readonly sealedMemtables?: number;
  readonly owedTables?: number;
  readonly pendingPlans?: number;
  readonly firstLogIndex?: number;
  readonly fetchedTableBytes?: number;
  readonly manifest: { readonly tables: readonly TableStatus[] };
  readonly hints: readonly HintStatus[];
  readonly heal: Readonly<Record<string, number>>;
  readonly scrub: Readonly<Record<string, number | string>>;
  readonly [more: string]: unknown;
}

/**
 * A number somewhere below `status`, by the first of these names that is found; undefined if none
 * is.
 */
export function findNumber(status: unknown, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const found = search(status, name, 4);
    if (found !== undefined) return found;
  }
  return undefined;
}

function search(at: unknown, name: string, depth: number): number | undefined {
  if (at === null || typeof at !== 'object' || Array.isArray(at) || depth === 0) return undefined;
  const here = (at as Record<string, unknown>)[name];
  if (typeof here === 'number') return here;
  for (const value of Object.values(at)) {
    const found = search(value, name, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
