/** The judge of the lease drill finds what it is there for. No process runs. */

import assert from 'node:assert/strict';
import { ClientError, type Client } from '../src/client/client.js';
import { LeaseDrill, type Held, type LeaseFaults, type Watched } from '../scripts/lib/leases.js';

const GRACE_MS = 3_000;
const silence = (): ClientError => new ClientError('DEADLINE_EXCEEDED', { details: 'no keep-alive was answered for 2 s' });

/** Of which kinds of faults there are how many. */
function judged(one: Watched | Held, answeredAt: readonly number[] = []): Record<string, number> {
  const drill = new LeaseDrill({} as Client, 1, GRACE_MS);
  for (const at of answeredAt) drill.answers.add(at);
  const faults: LeaseFaults = { early: [], late: [], lost: [], unanswered: [] };
  drill.judge([one], faults);
  const found = Object.entries(faults).map(([kind, all]: [string, string[]]) => [kind, all.length] as const);
  return Object.fromEntries(found.filter(([, count]) => count > 0));
}

function held(givenUpAt: number | undefined, reason: ClientError | undefined, goneAt?: number): Held {
  const lost = new AbortController();
  if (reason !== undefined) lost.abort(reason);
  const lease = { lost: lost.signal, abandon: () => undefined };
  return { key: 'held', ttl: 2, sentAt: 0, idleFrom: Infinity, seenAt: 9_000, goneAt, givenUpAt, lease };
}

const idle = (seenAt: number, goneAt: number): Watched => ({ key: 'idle', ttl: 2, sentAt: 100, idleFrom: 150, seenAt, goneAt });
/** Reads are answered each 50 ms, but for the time between these. */
function answered(from: number, to: number): number[] {
  return Array.from({ length: 400 }, (_, i) => 50 * i).filter((at) => at <= from || at >= to);
}

describe('the judge of leases', () => {
  it('lets pass what holds', () => {
    assert.deepEqual(judged(held(undefined, undefined), answered(0, 0)), {});
    assert.deepEqual(judged(idle(2_100, 2_150)), {});
    assert.deepEqual(judged(idle(2_150 + GRACE_MS, 2_200 + GRACE_MS)), {});
  });

  it('finds a lease that ends while its holder holds it', () => {
    assert.deepEqual(judged(held(undefined, undefined, 9_050), answered(0, 0)), { lost: 1 });
    assert.deepEqual(judged(held(9_100, silence(), 9_050), answered(7_100, 9_000)), { lost: 1 }, 'gone before it was given up');
    const gone = new ClientError('NOT_FOUND', { details: 'requested lease not found' });
    assert.deepEqual(judged(held(9_100, gone, 9_150), answered(7_000, 9_050)), { lost: 1 }, 'the cluster says that it is gone');
  });

  it('finds keep-alives that are not answered while all else is', () => {
    assert.deepEqual(judged(held(9_100, silence()), answered(0, 0)), { lost: 1 });
    assert.deepEqual(judged(held(9_100, silence()), answered(8_000, 8_900)), { lost: 1 }, 'an outage that leaves time for one');
    assert.deepEqual(judged(held(9_100, silence()), answered(5_000, 7_000)), { lost: 1 }, 'an outage that was over');
    assert.deepEqual(judged(held(9_100, silence(), 9_500), answered(7_150, 9_100)), { unanswered: 1 });
    assert.deepEqual(judged(held(9_100, silence(), 9_500), answered(7_150, Infinity)), { unanswered: 1 }, 'an outage that is not over');
  });

  it('finds what ends too early and too late', () => {
    assert.deepEqual(judged(idle(1_900, 2_050)), { early: 1 });
    assert.deepEqual(judged(idle(2_200 + GRACE_MS, 2_250 + GRACE_MS)), { late: 1 });
  });
});
