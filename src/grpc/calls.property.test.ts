import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Http2Limits } from '../http2/limits.js';
import type { Written } from '../http2/transport.js';
import { FakePeer, type FakeStream } from './testing/fake-stream.js';
import { GrpcPeer, type PeerCall } from './testing/grpc-peer.js';
import { Gates, pathOf, randomMethods } from './testing/random-calls.js';
import { runCalls, step, type CallerSide, type Plan, type World } from './testing/random-run.js';
import { settled, TestServer } from './testing/test-server.js';

const LIMITS = { maxUnfinishedBytes: 1024 * 1024, maxUnreadBytes: 1024 * 1024 };

const fieldsOf = (made: Plan, id: number): Record<string, string> =>
  ({ id: String(id), deed: made.deed, ...(made.timeoutMs > 0 ? { 'grpc-timeout': `${made.timeoutMs}m` } : {}) });

/** Without HTTP/2. */
class FakeWorld implements World {
  readonly gates = new Gates();
  readonly server = new TestServer(randomMethods(this.gates), { limits: LIMITS });
  readonly #peer = new FakePeer(this.server.grpc, 0, 4000);
  readonly #streams: { readonly stream: FakeStream; sent: number }[] = [];

  begin(made: Plan, id: number): CallerSide {
    const stream = this.#peer.begin(pathOf(made.kind), fieldsOf(made, id));
    const noted = { stream, sent: 0 };
    this.#streams.push(noted);
    stream.take(made.window);
    return {
      send: (part, ended) => {
        noted.sent += part.length;
        this.#peer.send(stream, part, ended);
      },
      take: (bytes) => stream.take(bytes),
      cancel: () => stream.end(false),
      get code() {
        return stream.code;
      },
      get messages() {
        return stream.messages;
      },
    };
  }

  settle(): Promise<void> {
    return settled();
  }

  check(): void {
    for (const { stream, sent } of this.#streams) {
      assert.deepEqual([stream.over, stream.releases], [true, 1]);
      assert.ok(stream.consumedBytes <= sent, 'no more window is given than was used');
    }
  }
}

/** Over a connection, with windows as small as wanted and a transport that is full at times. */
class ConnectionWorld implements World {
  readonly gates = new Gates();
  readonly server = new TestServer(randomMethods(this.gates), { limits: LIMITS });
  readonly #peer: GrpcPeer;

  constructor(limits: Partial<Http2Limits>, writes: readonly Written[]) {
    this.#peer = new GrpcPeer(this.server.grpc, this.server.manual, limits);
    let n = 0;
    this.#peer.transport.answer = () => writes[n++ % writes.length] as Written;
  }

  begin(made: Plan, id: number): CallerSide {
    const peer = this.#peer;
    const call: PeerCall = peer.begin(pathOf(made.kind), fieldsOf(made, id), made.window, made.chunk);
    return {
      send: (part, ended) => peer.body(call, part, ended),
      take: (bytes) => peer.take(call, bytes),
      cancel: () => peer.cancel(call),
      get code() {
        return call.code;
      },
      get messages() {
        return call.messages;
      },
    };
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 8; round++) {
      await settled();
      this.server.manual.advance(0);
      if (this.#peer.transport.full) this.#peer.drained();
      this.#peer.read();
    }
  }

  check(): void {
    const { connection, pool } = this.#peer;
    this.server.manual.advance(0);
    const { openStreams, lingeringStreams, requestBytes } = connection.usage;
    assert.deepEqual({ openStreams, lingeringStreams, requestBytes }, { openStreams: 0, lingeringStreams: 0, requestBytes: 0 });
    this.#peer.transport.checkKept();
    connection.closed();
    assert.deepEqual([pool.blocks.lent, pool.frames.lent, pool.streams.lent], [0, 0, 0]);
  }
}

describe('calls in any order', () => {
  const steps = fc.array(step, { minLength: 10, maxLength: 80, size: 'max' });

  it('each ends exactly once, with its own answer, and nothing counted is left', async () => {
    await fc.assert(fc.asyncProperty(steps, (made) => runCalls(new FakeWorld(), made)), { numRuns: 200 });
  }).timeout(60_000);

  it('so it is over connections, with small windows and a transport that is full at times', async () => {
    const window = fc.constantFrom(1000, 65_535, 1_000_000);
    const writes = fc.array(fc.constantFrom<Written>('taken', 'kept', 'full'), { minLength: 1, maxLength: 5 });
    await fc.assert(fc.asyncProperty(steps, window, writes, (made, streamWindowBytes, answers) =>
      runCalls(new ConnectionWorld({ streamWindowBytes, connectionWindowBytes: 65_535 }, answers), made)), { numRuns: 200 });
  }).timeout(60_000);
});
