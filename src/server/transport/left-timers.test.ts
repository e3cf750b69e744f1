import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { utf8 } from '../../base/bytes.js';
import type { Clock } from '../../base/env.js';
import { silent } from '../../base/testing/silent.js';
import { TestServer } from '../../grpc/testing/test-server.js';
import { DEFAULT_HTTP2_LIMITS } from '../../http2/limits.js';
import { nodeClock } from '../env/node-env.js';
import { ClientPort } from './client-port.js';
import { listenAddress } from './listen-address.js';

/** The real one, which knows what still waits. */
class WatchedClock implements Clock {
  readonly waiting = new Set<object>();
  now = (): number => nodeClock.now();
  wallNow = (): number => nodeClock.wallNow();
  defer = (fn: () => void): void => nodeClock.defer(fn);

  setTimer(delayMs: number, fn: () => void): { cancel: () => void } {
    const mark = {};
    this.waiting.add(mark);
    const timer = nodeClock.setTimer(delayMs, () => {
      this.waiting.delete(mark);
      fn();
    });
    return {
      cancel: () => {
        this.waiting.delete(mark);
        timer.cancel();
      },
    };
  }
}

describe('a client port that was closed', () => {
  it('leaves no timer behind, whatever deadlines its calls had', async () => {
    const clock = new WatchedClock();
    const { grpc: handler } = new TestServer({ '/test/Now': { kind: 'unary', refusable: true, handle: () => utf8('now') } }, { clock });
    const port = new ClientPort({ handler, limits: DEFAULT_HTTP2_LIMITS, clock, events: silent, http1: undefined, maxConnections: 10 });
    const number = await port.listen(listenAddress('http://127.0.0.1:0'));
    const session = connect(`http://127.0.0.1:${number}`).on('error', () => undefined);
    const head = { ':method': 'POST', ':path': '/test/Now', te: 'trailers', 'content-type': 'application/grpc', 'grpc-timeout': '60S' };
    const stream = session.request(head).on('error', () => undefined).resume();
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    await new Promise((resolve) => stream.on('close', resolve));
    assert.ok(clock.waiting.size > 0, 'its wheel waits for the deadline');
    port.close();
    await new Promise((resolve) => session.on('close', resolve));
    for (let turn = 0; turn < 1_000 && port.connections > 0; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(clock.waiting.size, 0);
  });
});
