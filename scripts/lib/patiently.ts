/** Writes that a drill needs and does not measure, at the pace that the member takes. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError } from '../../src/client/client.js';

const TRIES = 60;
const REST_MS = 500;
/** What says so: it has too much at hand, or its disk writes for longer than a request may last. */
const BUSY: ReadonlySet<string> = new Set(['RESOURCE_EXHAUSTED', 'UNAVAILABLE']);

/**
 * Whoever has too much at hand is asked again. `act` may be carried out twice: a put is the same
 * then. Throws what `act` throws, if that is something else or does not end.
 */
export async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await act();
    } catch (error) {
      if (n === TRIES || !(error instanceof ClientError) || !BUSY.has(error.code)) throw error;
      await sleep(REST_MS);
    }
  }
}
