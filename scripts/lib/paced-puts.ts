/** Puts at a fixed rate, whatever the answers do: a late answer counts from when it was due. */

import { Histogram } from './load/histogram.js';
import { METHODS, type Endpoint } from './load/grpc.js';
import { putRequest } from './load/wire.js';

const TIMEOUT_MS = 30_000;

export interface PacedResult {
  readonly latencies: Histogram;
  readonly failed: number;
  readonly sent: number;
}

/**
 * `into`: of a window before, to be added to. `keyOf` gives the key of the n-th put. Ends early
 * once `goesOn` is false: nothing is sent any more then.
 */
export async function pacedPuts(
  endpoint: Endpoint, perSecond: number, seconds: number, keyOf: (n: number) => string, into = new Histogram(),
  goesOn = (): boolean => true,
): Promise<PacedResult> {
  const value = Buffer.alloc(100, 'v');
  const began = performance.now();
  const waiting: Promise<void>[] = [];
  let failed = 0;
  let sent = 0;
  for (let n = 0; n < perSecond * seconds && goesOn(); n++) {
    const due = began + (1000 * n) / perSecond;
    const left = due - performance.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
    sent++;
    waiting.push(endpoint.unary(METHODS.put, putRequest(Buffer.from(keyOf(n)), value), TIMEOUT_MS).then(
      () => into.record(performance.now() - due), () => void failed++,
    ));
  }
  await Promise.all(waiting);
  return { latencies: into, failed, sent };
}
