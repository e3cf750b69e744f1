/**
 * `client.update(key, fn)`: from what a key holds to what it should hold, without a lock. What `fn`
 * makes of it is written only if nobody changed the key meanwhile; else `fn` is asked again. So it
 * is carried out at most once, and if whether it was is not known, that is said and nothing is
 * tried again: a second attempt could apply `fn` to its own result.
 */

import { equalBytes } from '../base/bytes.js';
import type { KeyValue } from '../api/requests.js';
import type { CallOptions } from './caller.js';
import type { KvClient } from './kv-client.js';
import { modRevision } from './conditions.js';
import { badArgument, ConflictError } from './errors.js';
import { op } from './operations.js';
import { pauseAfterConflict } from './pause.js';
import { bytesOf, type Bytes } from './requests.js';

export interface UpdateOptions extends CallOptions {
  /** How often it is tried again after a conflict. Default 16. */
  readonly retries?: number;
  /** Default: the key keeps the lease that it has. */
  readonly lease?: bigint;
}

export interface Updated {
  /** What the key holds now; undefined: it does not exist. */
  readonly kv: KeyValue | undefined;
  /** False: `fn` has left it as it was, and nothing was written. */
  readonly changed: boolean;
  readonly attempts: number;
}

export type Update = (current: KeyValue | undefined) => Bytes | undefined | Promise<Bytes | undefined>;

export const DEFAULT_RETRIES = 16;

export function checkRetries(retries: number): number {
  if (!Number.isSafeInteger(retries) || retries < 0) throw badArgument(`retries is a whole number, got ${retries}`);
  return retries;
}

export async function update(client: KvClient, key: Bytes, fn: Update, options: UpdateOptions): Promise<Updated> {
  const { retries = DEFAULT_RETRIES, lease, ...call } = options;
  checkRetries(retries);
  let current = await client.get(key, call);
  for (let attempts = 1; ; attempts++) {
    const wanted = await fn(current);
    const value = wanted === undefined ? undefined : bytesOf(wanted);
    if (isSame(current, value, lease)) return { kv: current, changed: false, attempts };
    const held = lease ?? current?.lease ?? 0n;
    const write = value === undefined ? op.delete(key) : op.put(key, value, { lease: held });
    const txn = client.txn().if(modRevision(key).equals(current?.modRevision ?? 0)).then(write).else(op.get(key));
    const outcome = await txn.commit(call);
    if (outcome.succeeded) {
      const kv = value === undefined ? undefined : written(current, key, value, held, outcome.revision);
      return { kv, changed: true, attempts };
    }
    if (attempts > retries) throw new ConflictError('the key was changed by others each time', attempts);
    [current] = outcome.results;
    await pauseAfterConflict(attempts, call.signal);
  }
}

function isSame(current: KeyValue | undefined, value: Uint8Array | undefined, lease: bigint | undefined): boolean {
  if (current === undefined || value === undefined) return current === undefined && value === undefined;
  return equalBytes(current.value, value) && (lease === undefined || lease === current.lease);
}

function written(before: KeyValue | undefined, key: Bytes, value: Uint8Array, lease: bigint, revision: number): KeyValue {
  const { createRevision = revision, version = 0 } = before ?? {};
  return { key: bytesOf(key), value, lease, createRevision, modRevision: revision, version: version + 1 };
}
