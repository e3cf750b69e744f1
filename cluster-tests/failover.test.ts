import assert from 'node:assert/strict';
import { failoverRound } from '../scripts/lib/failover.js';
import { putPatiently } from '../scripts/lib/documents.js';
import { kintsugiOnly, withCluster } from './harness.js';

/**
 * The drill demands less than 1000 ms on a quiet machine; a test shares its cores, and must only
 * tell an election from a hang.
 */
const GAP_MS = 4000;

describe('failover of real processes', function () {
  this.timeout(90_000);
  const fixture = withCluster('failover', { load: true });

  it('a signal opens no port for a debugger, and a node goes on', async function () {
    kintsugiOnly(this);
    const [node = assert.fail()] = fixture.cluster.nodes;
    await putPatiently(node.endpoint, 'signal', Buffer.from('before'));
    node.signal('SIGUSR1');
    for (let i = 0; i < 20; i++) await putPatiently(node.endpoint, 'signal', Buffer.from(`after ${i}`));
    await assert.rejects(fetch('http://127.0.0.1:9229/json/version'));
    assert.ok(node.running);
  });

  it('D1 kill -9 of the leader under 64 writers loses nothing, and requests in flight on survivors are answered', async () => {
    const result = await failoverRound(fixture.cluster, fixture.load, {
      round: 1, writers: 64, readers: 8, warmupMs: 2500, afterMs: 4000, requestTimeoutMs: 30_000, say: () => undefined,
    });
    assert.ok(result.acknowledged > 500, `only ${result.acknowledged} writes were acknowledged`);
    assert.equal(result.missing + result.wrong + result.readErrors, 0, result.firstFault);
    assert.ok(result.history.passed, result.history.summary);
    assert.equal(result.inFlight.errors, 0, result.inFlight.firstError);
    assert.ok(result.gapMs < GAP_MS, `no write was acknowledged for ${result.gapMs} ms`);
  });
});
