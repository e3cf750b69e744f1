/** Reading everything back through every node, and holding it against what was acknowledged. */

import type { Endpoint} from './load/grpc.js';
import { METHODS } from './load/grpc.js';
import { idOf } from './load/history-load.js';
import type { Recorded } from './load/history.js';
import { prefixEnd, rangeReply, rangeRequest, type KeyValue } from './load/wire.js';
import { monotonicMs } from './load/protocol.js';

const PAGE = 1000;

export interface ScanOptions {
  readonly prefix: string;
  readonly serializable: boolean;
  readonly timeoutMs?: number;
  readonly onPage?: (kvs: readonly KeyValue[], revision: number, call: number, end: number) => void;
}

/** Every key with a prefix, page by page. Throws on the first error. */
export async function scan(endpoint: Endpoint, options: ScanOptions): Promise<Map<string, KeyValue>> {
  const out = new Map<string, KeyValue>();
  const rangeEnd = prefixEnd(Buffer.from(options.prefix));
  let key = Buffer.from(options.prefix);
  for (;;) {
    const request = rangeRequest({ key, rangeEnd, limit: PAGE, serializable: options.serializable });
    const call = monotonicMs();
    const page = rangeReply(await endpoint.unary(METHODS.range, request, options.timeoutMs ?? 30_000));
    options.onPage?.(page.kvs, page.revision, call, monotonicMs());
    for (const kv of page.kvs) out.set(kv.key.toString('latin1'), kv);
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return out;
    key = Buffer.concat([last.key, Buffer.from([0])]);
  }
}

export interface Expected {
  /** Newest acknowledged write of each key. */
  readonly acknowledged: ReadonlyMap<string, { readonly revision: number; readonly value: string | undefined }>;
  /** Values that writes of unknown outcome may have left. */
  readonly possible: ReadonlyMap<string, ReadonlySet<string>>;
}

export function expectedOf(operations: readonly Recorded[]): Expected {
  const acknowledged = new Map<string, { revision: number; value: string | undefined }>();
  const possible = new Map<string, Set<string>>();
  for (const op of operations) {
    if (op.kind === 'get' || op.outcome === 'none') continue;
    if (op.outcome === 'unknown') {
      if (!possible.has(op.key)) possible.set(op.key, new Set());
      possible.get(op.key)?.add(op.value ?? '');
      continue;
    }
    if (!op.ok || (acknowledged.get(op.key)?.revision ?? 0) >= op.revision) continue;
    acknowledged.set(op.key, { revision: op.revision, value: op.value });
  }
  return { acknowledged, possible };
}

export interface ReadBack {
  readonly keys: number;
  readonly missing: number;
  readonly wrong: number;
  readonly errors: number;
  readonly firstFault: string;
}

/** Compares what a node holds with what must be there. */
export function compare(found: ReadonlyMap<string, KeyValue>, { acknowledged, possible }: Expected): ReadBack {
  let missing = 0;
  let wrong = 0;
  let firstFault = '';
  const fault = (text: string): void => void (firstFault ||= text);
  for (const [key, { revision, value }] of acknowledged) {
    const kv = found.get(key);
    const maybe = possible.get(key);
    if (kv === undefined) {
      if (value === undefined || maybe?.has('')) continue;
      missing++;
      fault(`${key} (acknowledged at revision ${revision}) is missing`);
      continue;
    }
    const id = idOf(kv.value);
    if (kv.modRevision === revision && id === value) continue;
    if (kv.modRevision > revision && maybe?.has(id)) continue;
    wrong++;
    fault(`${key} holds ${id.slice(0, 60)} mod ${kv.modRevision}, acknowledged was ${value} at revision ${revision}`);
  }
  for (const [key, kv] of found) {
    if (acknowledged.has(key) || possible.get(key)?.has(idOf(kv.value))) continue;
    wrong++;
    fault(`${key} holds ${idOf(kv.value).slice(0, 60)}, which nobody wrote`);
  }
  return { keys: found.size, missing, wrong, errors: 0, firstFault };
}

/** Reads all keys of a prefix through one node; an error counts and is told. */
export async function readBack(endpoint: Endpoint, prefix: string, serializable: boolean, expected: Expected): Promise<ReadBack> {
  try {
    return compare(await scan(endpoint, { prefix, serializable }), expected);
  } catch (error) {
    return { keys: 0, missing: 0, wrong: 0, errors: 1, firstFault: String(error) };
  }
}
