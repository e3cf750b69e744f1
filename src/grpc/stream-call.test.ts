import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';
import { Deferred } from '../base/deferred.js';
import type { RequestStreamMethod, Sender, ServerCall, ServerStreamMethod } from './method.js';
import { RpcError } from './status.js';
import { FakePeer, framed, prefix, type FakeStream } from './testing/fake-stream.js';
import { settled, TestServer, until, type TestOptions } from './testing/test-server.js';

const DOWN = '/t.T/Down';
const UP = '/t.T/Up';
const BOTH = '/t.T/Both';
const KiB = 1024;
const NOTHING = { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 };

const echo = async (requests: AsyncIterable<Uint8Array>, out: Sender): Promise<void> => {
  for await (const request of requests) await out.write(request);
};

class World {
  readonly server: TestServer;
  readonly peer: FakePeer;
  down: ServerStreamMethod['handle'] = () => Promise.resolve();
  up: RequestStreamMethod['handle'] = () => Promise.resolve();
  both: RequestStreamMethod['handle'] = echo;

  constructor(options: TestOptions = {}, window = Infinity, enough = 64 * KiB) {
    this.server = new TestServer({
      [DOWN]: { kind: 'server-stream', handle: (request, out, call) => this.down(request, out, call) },
      [UP]: { kind: 'client-stream', handle: (requests, out, call) => this.up(requests, out, call) },
      [BOTH]: { kind: 'bidi', handle: (requests, out, call) => this.both(requests, out, call) },
    }, options);
    this.peer = new FakePeer(this.server.grpc, window, enough);
  }

  /** After a test: whatever happened, each call ended once, and nothing is held. */
  async check(...streams: readonly FakeStream[]): Promise<void> {
    await settled();
    assert.deepEqual(this.server.grpc.held, NOTHING);
    assert.equal(this.server.stats.started, this.server.stats.ended);
    assert.deepEqual(this.server.errors.seen.filter((error) => error instanceof assert.AssertionError), [], 'in a handler');
    for (const stream of streams) assert.deepEqual([stream.over, stream.releases], [true, 1]);
  }
}

const refusal = (stream: FakeStream): unknown[] => [stream.code, stream.status?.['grpc-message']];
const texts = (stream: FakeStream): string[] => stream.messages.map(String);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('a stream of answers', () => {
  it('has headers with the first, and the status after the last', async () => {
    const world = new World();
    const go = new Deferred();
    world.down = async (request, out) => {
      await out.write(request);
      await go.promise;
      await out.write(Buffer.from('two'));
    };
    const stream = world.peer.ask(DOWN, [Buffer.from('one')]);
    await settled();
    assert.deepEqual([stream.headers1?.[':status'], texts(stream), stream.trailers1], ['200', ['one'], undefined]);
    go.resolve();
    await settled();
    assert.deepEqual([texts(stream), stream.trailers1], [['one', 'two'], { 'grpc-status': '0' }]);
    assert.deepEqual([3, 6], [world.server.stats.methods.get(DOWN)?.receivedBytes, world.server.stats.methods.get(DOWN)?.sentBytes]);
    await world.check(stream);
  });

  it('without answers is trailers-only, well or not', async () => {
    const world = new World();
    const well = world.peer.ask(DOWN, [Buffer.alloc(0)]);
    world.down = () => Promise.reject(new RpcError(9, 'not now'));
    const bad = world.peer.ask(DOWN, [Buffer.alloc(0)]);
    world.down = () => {
      throw new RpcError(9, 'at once');
    };
    const worse = world.peer.ask(DOWN, [Buffer.alloc(0)]);
    const guarded = world.peer.ask(DOWN, [Buffer.alloc(0)], { refuse: 'yes' });
    await settled();
    assert.equal(well.headers1?.['grpc-status'], '0');
    assert.deepEqual([bad, worse, guarded].map(refusal), [[9, 'not now'], [9, 'at once'], [14, 'refused']]);
    await world.check(well, bad, worse, guarded);
  });

  it('ends with an error after what was written', async () => {
    const world = new World();
    world.down = async (_request, out) => {
      await out.write(Buffer.from('one'));
      throw new RpcError(10, 'stopped');
    };
    const stream = world.peer.ask(DOWN, [Buffer.alloc(0)]);
    await settled();
    assert.deepEqual([texts(stream), refusal(stream)], [['one'], [10, 'stopped']]);
    await world.check(stream);
  });

  it('waits while the caller does not take them, and goes on when it does', async () => {
    const world = new World({}, 0, 1000);
    let written = 0;
    world.down = async (_request, out) => {
      for (let i = 0; i < 10; i++) {
        await out.write(Buffer.alloc(395));
        written++;
      }
    };
    const stream = world.peer.ask(DOWN, [Buffer.alloc(0)]);
    await settled();
    assert.equal(written, 2, 'the third is enough');
    stream.take(100);
    await settled();
    assert.equal(written, 2);
    stream.take(300);
    await settled();
    assert.equal(written, 3);
    stream.take(Infinity);
    await settled();
    assert.deepEqual([written, stream.messages.length, stream.code], [10, 10, 0]);
    await world.check(stream);
  });

  it('whose caller leaves lets go of who waits, and refuses what is written then', async () => {
    const world = new World({}, 0, 100);
    const seen: unknown[] = [];
    world.down = async (_request, out) => {
      out.onCancel(() => seen.push('told'));
      await out.write(Buffer.alloc(1000));
      seen.push(out.cancelled);
      await out.write(Buffer.alloc(1));
    };
    const stream = world.peer.ask(DOWN, [Buffer.alloc(0)]);
    await settled();
    world.peer.cancel(stream);
    await settled();
    assert.deepEqual(seen, ['told', true]);
    assert.deepEqual(world.server.errors.seen.map(String), ['RpcError: context canceled']);
    assert.deepEqual(world.server.stats.codes(DOWN), [1]);
    await world.check(stream);
  });

  it('at its deadline ends with the status where it can be sent, and with a reset where it cannot', async () => {
    const world = new World({}, 50, 100);
    world.down = async (request, out, call) => {
      await out.write(Buffer.alloc(request.length * 10));
      await new Promise<void>((resolve) => call.onCancel(resolve));
    };
    const some = world.peer.ask(DOWN, [Buffer.alloc(1)], { 'grpc-timeout': '1S' });
    const much = world.peer.ask(DOWN, [Buffer.alloc(30)], { 'grpc-timeout': '1S' });
    await settled();
    world.server.manual.advance(1004);
    assert.deepEqual([refusal(some), refusal(much), much.resetCode], [[4, 'context deadline exceeded'], [undefined, undefined], 8]);
    assert.deepEqual(world.server.stats.codes(DOWN), [4, 4]);
    await world.check(some, much);
  });
});

describe('a stream of requests', () => {
  it('is iterated until the caller has said all, and has one answer', async () => {
    const world = new World();
    world.up = async (requests, out) => {
      const all: string[] = [];
      for await (const request of requests) all.push(text(request));
      await out.write(Buffer.from(all.join(',')));
    };
    const stream = world.peer.begin(UP);
    world.peer.send(stream, framed(Buffer.from('a'), Buffer.from('b')));
    await settled();
    world.peer.send(stream, framed(Buffer.from('c')), true);
    await settled();
    assert.deepEqual([texts(stream), stream.trailers1], [['a,b,c'], { 'grpc-status': '0' }]);
    const none = world.peer.begin(UP, {}, true);
    await settled();
    assert.deepEqual(texts(none), ['']);
    await world.check(stream, none);
  });

  it('never takes half of them for the whole: the iteration throws when the caller leaves', async () => {
    const world = new World();
    const seen: unknown[] = [];
    world.up = async (requests) => {
      for await (const request of requests) seen.push(text(request));
      seen.push('all');
    };
    const waiting = world.peer.begin(UP);
    world.peer.send(waiting, framed(Buffer.from('a')));
    await settled();
    world.peer.cancel(waiting);
    await settled();
    assert.deepEqual([seen, world.server.errors.seen.map(String)], [['a'], ['RpcError: context canceled']]);
    await world.check(waiting);
  });

  it('harms nobody when its handler has stopped waiting for the next', async () => {
    const world = new World();
    world.up = async (requests, _out, call) => {
      void requests[Symbol.asyncIterator]().next();
      await new Promise<void>((resolve) => call.onCancel(resolve));
    };
    const stream = world.peer.begin(UP);
    await settled();
    world.peer.cancel(stream);
    await world.check(stream);
  });

  it('has a window that is given back as the handler takes them', async () => {
    const world = new World();
    let go = new Deferred();
    world.up = async (requests, out) => {
      let bytes = 0;
      for await (const request of requests) {
        bytes += request.length;
        await go.promise;
      }
      await out.write(Buffer.from(String(bytes)));
    };
    const stream = world.peer.begin(UP);
    await settled();
    for (let i = 0; i < 10; i++) world.peer.send(stream, framed(Buffer.alloc(995)));
    await settled();
    assert.equal(stream.consumedBytes, 1000, 'one was taken, the others wait');
    const second = go;
    go = new Deferred();
    second.resolve();
    await settled();
    assert.equal(stream.consumedBytes, 2000);
    go.resolve();
    await settled();
    assert.equal(stream.consumedBytes, 10_000);
    world.peer.send(stream, Buffer.alloc(0), true);
    await settled();
    assert.deepEqual(texts(stream), ['9950']);
    await world.check(stream);
  });

  it('may have a message larger than the window: it is given back while the handler waits for it', async () => {
    const world = new World();
    world.up = async (requests, out) => {
      let bytes = 0;
      for await (const request of requests) bytes += request.length;
      await out.write(Buffer.from(String(bytes)));
    };
    const stream = world.peer.begin(UP);
    await settled();
    const bytes = framed(Buffer.alloc(3_000_000));
    for (let at = 0; at < bytes.length; at += 16_384) {
      assert.ok(at - stream.consumedBytes <= 0, 'no window is kept');
      world.peer.send(stream, bytes.subarray(at, at + 16_384), at + 16_384 >= bytes.length);
    }
    await settled();
    assert.deepEqual(texts(stream), ['3000000']);
    await world.check(stream);
  });

  it('a handler that breaks off takes the rest of the window back, and may still answer', async () => {
    const world = new World();
    const answer = new Deferred<Uint8Array>();
    world.up = async (requests, out) => {
      for await (const request of requests) {
        assert.equal(text(request), 'a');
        break;
      }
      await out.write(await answer.promise);
    };
    const stream = world.peer.begin(UP);
    world.peer.send(stream, framed(Buffer.from('a'), Buffer.from('b'), Buffer.from('c')));
    await settled();
    assert.equal(stream.consumedBytes, 18);
    world.peer.send(stream, framed(Buffer.from('d')));
    assert.equal(stream.consumedBytes, 24);
    answer.resolve(Buffer.from('done'));
    await settled();
    assert.deepEqual(texts(stream), ['done']);
    await world.check(stream);
  });

  it('that cannot be read ends the call at once, whatever the handler does', async () => {
    const world = new World({ limits: { maxReceiveBytes: 100, receiveMs: 1000 } });
    const seen: string[] = [];
    world.up = async (requests) => {
      try {
        for await (const request of requests) seen.push(text(request));
      } catch (error) {
        seen.push(String(error));
      }
    };
    const large = world.peer.begin(UP);
    const cut = world.peer.begin(UP);
    const late = world.peer.begin(UP);
    const packed = world.peer.begin(UP);
    await settled();
    world.peer.send(large, prefix(0, 101));
    world.peer.send(cut, framed(Buffer.alloc(10)).subarray(0, 7), true);
    world.peer.send(late, framed(Buffer.alloc(10)).subarray(0, 3));
    world.peer.send(packed, Buffer.concat([prefix(1, 1), Buffer.from('x')]));
    await settled();
    world.server.manual.advance(1004);
    await settled();
    assert.deepEqual([large, cut, late, packed].map(refusal), [
      [8, 'grpc: received message larger than max (101 vs. 100)'], [13, 'unexpected EOF'], [4, 'grpc: the request took too long to come'],
      [13, 'grpc: compressed flag set with identity or empty encoding'],
    ]);
    assert.equal(seen.length, 4);
    await world.check(large, cut, late, packed);
  });

  it('that no handler asks for are bounded over all calls, and counted until the call is over', async () => {
    const world = new World({ limits: { maxUnfinishedBytes: 150_000 } });
    const gate = new Deferred();
    world.both = async (requests, out) => {
      await gate.promise;
      await echo(requests, out);
    };
    const begun = (): FakeStream => {
      const stream = world.peer.begin(BOTH);
      world.peer.send(stream, framed(Buffer.alloc(50_000)));
      world.peer.send(stream, framed(Buffer.alloc(40_000)));
      return stream;
    };
    const first = begun();
    assert.equal(world.server.grpc.held.unfinishedBytes, 90_010);
    const second = begun();
    assert.deepEqual(refusal(second), [8, 'grpc: too many bytes of unfinished requests']);
    assert.equal(world.server.grpc.held.unfinishedBytes, 90_010);
    world.peer.cancel(first);
    assert.equal(world.server.grpc.held.unfinishedBytes, 0);
    const third = begun();
    world.peer.send(third, Buffer.alloc(0), true);
    gate.resolve();
    await settled();
    assert.deepEqual([third.code, third.messages.map(({ length }) => length)], [0, [50_000, 40_000]]);
    await world.check(first, second, third);
  });

  it('may be silent as long as it likes between messages', async () => {
    const world = new World({ limits: { receiveMs: 1000 } });
    const stream = world.peer.begin(BOTH);
    await settled();
    world.server.manual.advance(10_000);
    const bytes = framed(Buffer.from('hello'));
    world.peer.send(stream, bytes.subarray(0, 6));
    world.server.manual.advance(900);
    world.peer.send(stream, bytes.subarray(6));
    world.server.manual.advance(10_000);
    await settled();
    assert.deepEqual([texts(stream), stream.over], [['hello'], false]);
    world.peer.send(stream, Buffer.alloc(0), true);
    await settled();
    await world.check(stream);
  });

  it('is inflated message by message, in order', async () => {
    const world = new World();
    const stream = world.peer.begin(BOTH, { 'grpc-encoding': 'deflate' });
    const packed = deflateSync('packed'.repeat(100));
    world.peer.send(stream, Buffer.concat([prefix(1, packed.length), packed, framed(Buffer.from('plain')), prefix(1, packed.length), packed]), true);
    await until(() => stream.over, 'all are inflated');
    assert.deepEqual(texts(stream), ['packed'.repeat(100), 'plain', 'packed'.repeat(100)]);
    await world.check(stream);
  });
});

describe('a stream both ways', () => {
  it('echoes, and a slow reader slows who writes', async () => {
    const world = new World({}, 0, 1000);
    const stream = world.peer.begin(BOTH, { 'x-y': 'z' });
    await settled();
    for (let i = 0; i < 20; i++) world.peer.send(stream, framed(Buffer.alloc(495, i)), i === 19);
    await settled();
    assert.equal(stream.consumedBytes, 1000, 'two answers are enough: no more is taken of the requests');
    for (let i = 0; i < 20; i++) {
      stream.take(500);
      await settled();
    }
    assert.deepEqual([stream.messages.length, stream.code, stream.messages[19]?.[0]], [20, 0, 19]);
    await world.check(stream);
  });

  it('begins with the head, is refused by the guard, and may end before the caller has', async () => {
    const world = new World();
    world.both = async (_requests, out, call: ServerCall) => {
      await out.write(Buffer.from(call.metadata('x') ?? ''));
    };
    const stream = world.peer.begin(BOTH, { x: 'y' });
    const guarded = world.peer.begin(BOTH, { refuse: 'yes' });
    await settled();
    assert.deepEqual([texts(stream), stream.code, refusal(guarded)], [['y'], 0, [14, 'refused']]);
    await world.check(stream, guarded);
  });

  it('several writers that wait all go on', async () => {
    const world = new World({}, 0, 10);
    world.both = async (_requests, out) => {
      await Promise.all([out.write(Buffer.alloc(20)), out.write(Buffer.alloc(20)), out.write(Buffer.alloc(20))]);
    };
    const stream = world.peer.begin(BOTH);
    await settled();
    stream.take(Infinity);
    await settled();
    assert.deepEqual([stream.messages.length, stream.code], [3, 0]);
    await world.check(stream);
  });
});
