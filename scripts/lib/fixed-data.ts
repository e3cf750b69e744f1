/**
 * A fixed set of keys with verifiable values: what the bit-rot drill loads, and what must be there
 * afterwards.
 */

import { forAll, putPatiently } from './documents.js';
import type { Endpoint } from './load/grpc.js';
import { makeValue, scatteredKey, verifyValue } from './load/values.js';
import { scan, type ReadBack } from './verify.js';

export interface FixedData {
  readonly keys: number;
  readonly valueBytes: number;
  readonly seed: number;
}

const PREFIX = 'd/';
const WIDTH = 64;

function nameOf(raw: Buffer): string {
  return PREFIX + raw.toString('latin1');
}

/** Writes every key once, through all endpoints. */
export async function loadFixedData(endpoints: readonly Endpoint[], data: FixedData): Promise<void> {
  const numbers = Array.from({ length: data.keys }, (_, n) => n);
  await forAll(numbers, WIDTH, async (n, lane) => {
    const raw = scatteredKey(data.seed, n);
    const endpoint = endpoints[lane % endpoints.length] as Endpoint;
    await putPatiently(endpoint, nameOf(raw), makeValue(raw, n, data.valueBytes));
  });
}

/** Reads all of it, in as many parts as it was written, through one node; verifies every byte. */
export async function checkFixedData(endpoint: Endpoint, data: FixedData | FixedData[], serializable: boolean): Promise<ReadBack> {
  try {
    const found = await scan(endpoint, { prefix: PREFIX, serializable, timeoutMs: 60_000 });
    let missing = 0;
    let wrong = 0;
    let firstFault = '';
    const parts = Array.isArray(data) ? data : [data];
    for (const { keys, seed, valueBytes } of parts) {
      for (let n = 0; n < keys; n++) {
        const raw = scatteredKey(seed, n);
        const kv = found.get(nameOf(raw));
        if (kv === undefined) missing++;
        else if (!verifyValue(raw, kv.value, valueBytes) || kv.value.readUInt32BE(16) !== n) wrong++;
        else continue;
        firstFault ||= `${nameOf(raw)} is ${kv === undefined ? 'missing' : 'wrong'}`;
      }
    }
    const written = parts.reduce((sum, { keys }) => sum + keys, 0);
    if (found.size > written) wrong += found.size - written;
    return { keys: found.size, missing, wrong, errors: 0, firstFault };
  } catch (error) {
    return { keys: 0, missing: 0, wrong: 0, errors: 1, firstFault: String(error) };
  }
}
