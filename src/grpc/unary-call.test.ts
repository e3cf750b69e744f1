import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { Deferred } from '../base/deferred.js';
import type { ServerCall, Method } from './method.js';
import { RpcError } from './status.js';
import { FakePeer, framed, prefix, type FakeStream } from './testing/fake-stream.js';
import { settled, TestServer, until, type TestOptions } from './testing/test-server.js';

const ECHO = '/t.T/Echo';
const KiB = 1024;
const NOTHING = { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 };

const unary = (handle: (request: Uint8Array, call: ServerCall) => Uint8Array | Promise<Uint8Array>, refusable = false): Method =>
  ({ kind: 'unary', refusable, handle });

class World {
  readonly server: TestServer;
  readonly peer: FakePeer;
  handle: (request: Uint8Array, call: ServerCall) => Uint8Array | Promise<Uint8Array> = (request) => request;

  constructor(options: TestOptions = {}, window = Infinity) {
    const method = unary((request, call) => this.handle(request, call));
    const read = unary((request, call) => this.handle(request, call), true);
    this.server = new TestServer({ [ECHO]: method, '/t.T/Read': read }, options);
    this.peer = new FakePeer(this.server.grpc, window);
  }

  ask(text = 'hi', fields = {}): FakeStream {
    return this.peer.ask(ECHO, [Buffer.from(text)], fields);
  }

  /** After a test: whatever happened, each call ended once, and nothing is held. */
  check(...streams: readonly FakeStream[]): void {
    assert.deepEqual(this.server.grpc.held, NOTHING);
    assert.equal(this.server.stats.started, this.server.stats.ended);
    assert.deepEqual(this.server.errors.seen.filter((error) => error instanceof assert.AssertionError), [], 'in a handler');
    for (const stream of streams) assert.deepEqual([stream.over, stream.releases], [true, 1]);
  }

  get codes(): readonly number[] {
    return this.server.stats.codes(ECHO);
  }
}

const refusal = (stream: FakeStream): unknown[] => [stream.code, stream.status?.['grpc-message']];

describe('a unary call', () => {
  it('whose handler answers at once is answered before `data` returns', () => {
    const world = new World();
    const stream = world.ask();
    assert.deepEqual(stream.headers1, { ':status': '200', 'content-type': 'application/grpc' });
    assert.deepEqual(stream.messages.map(String), ['hi']);
    assert.deepEqual(stream.trailers1, { 'grpc-status': '0' });
    assert.equal(stream.consumedBytes, 7);
    assert.deepEqual(world.codes, [0]);
    world.check(stream);
  });

  it('whose handler takes its time is answered then, and counted with that time', async () => {
    const world = new World();
    const answer = new Deferred<Uint8Array>();
    world.handle = () => answer.promise;
    const stream = world.ask();
    world.server.manual.advance(25);
    answer.resolve(Buffer.from('late'));
    await settled();
    assert.deepEqual(stream.messages.map(String), ['late']);
    const { durations, receivedBytes, sentBytes } = world.server.stats.methods.get(ECHO) ?? assert.fail('it is counted');
    assert.deepEqual([durations, receivedBytes, sentBytes], [[25], 2, 4]);
    world.check(stream);
  });

  it('has a request that is its handler\'s: what comes after does not change it', () => {
    const world = new World();
    const kept: Uint8Array[] = [];
    world.handle = (request) => {
      kept.push(request);
      return request;
    };
    const texts = ['a', 'b'.repeat(100), 'c'.repeat(5000), ''];
    for (const text of texts) world.ask(text);
    assert.deepEqual(kept.map((bytes) => Buffer.from(bytes).toString()), texts);
  });

  it('may take longer to answer than its request may to come', async () => {
    const world = new World({ limits: { receiveMs: 1000 } });
    const answer = new Deferred<Uint8Array>();
    world.handle = () => answer.promise;
    const stream = world.ask();
    world.server.manual.advance(5000);
    answer.resolve(Buffer.from('late'));
    await settled();
    assert.deepEqual(stream.messages.map(String), ['late']);
    world.check(stream);
  });

  it('knows nothing of the call whose record it has', async () => {
    const world = new World();
    const told: string[] = [];
    let answer = new Deferred<Uint8Array>();
    const contexts: ServerCall[] = [];
    world.handle = (request, call) => {
      contexts.push(call);
      assert.deepEqual([call.cancelled, call.deadline, call.metadata('x')], [false, undefined, undefined]);
      call.onCancel(() => told.push(Buffer.from(request).toString()));
      return answer.promise;
    };
    const double = world.peer.ask(ECHO, [Buffer.from('a'), Buffer.from('b')], { x: 'y', 'grpc-timeout': '1S' });
    const first = world.ask('first');
    answer.resolve(Buffer.from('1'));
    await settled();
    answer = new Deferred();
    const second = world.ask('second');
    world.peer.cancel(second);
    answer.resolve(Buffer.from('2'));
    await settled();
    answer = new Deferred();
    const third = world.ask('third');
    answer.resolve(Buffer.from('3'));
    await settled();
    assert.deepEqual([first, second, third].map(({ code }) => code), [0, undefined, 0]);
    assert.deepEqual([told, new Set(contexts).size], [['second'], 1]);
    world.check(double, first, second, third);
  });

  it('that throws or rejects ends with what the mapper makes of it', async () => {
    const world = new World();
    world.handle = () => {
      throw new RpcError(5, 'no such thing');
    };
    const thrown = world.ask();
    world.handle = () => Promise.reject(new Error('what'));
    const rejected = world.ask();
    await settled();
    assert.deepEqual([refusal(thrown), refusal(rejected)], [[5, 'no such thing'], [2, 'what']]);
    assert.equal(world.server.errors.seen.length, 2);
    world.check(thrown, rejected);
  });

  it('is refused before its handler by the guard', () => {
    const world = new World();
    world.handle = () => assert.fail('the handler saw it');
    const stream = world.ask('hi', { refuse: 'yes' });
    assert.deepEqual(refusal(stream), [14, 'refused']);
    world.check(stream);
  });

  it('is refused when its request is cut, missing, double or too large', () => {
    const world = new World({ limits: { maxReceiveBytes: 100 } });
    world.handle = () => assert.fail('the handler saw it');
    const none = world.peer.begin(ECHO, {}, true);
    const empty = world.peer.begin(ECHO);
    world.peer.send(empty, Buffer.alloc(0), true);
    const cut = world.peer.begin(ECHO);
    world.peer.send(cut, framed(Buffer.alloc(10)).subarray(0, 9), true);
    const double = world.peer.ask(ECHO, [Buffer.from('a'), Buffer.from('b')]);
    const large = world.peer.begin(ECHO);
    world.peer.send(large, prefix(0, 101));
    const flag = world.peer.begin(ECHO);
    world.peer.send(flag, prefix(3, 1));
    const missing = 'cardinality violation: received no request message from non-client-streaming RPC';
    assert.deepEqual([none, empty, cut, double, large, flag].map(refusal), [
      [13, missing], [13, missing], [13, 'unexpected EOF'],
      [13, 'cardinality violation: received multiple request messages for non-client-streaming RPC'],
      [8, 'grpc: received message larger than max (101 vs. 100)'],
      [13, 'grpc: received unexpected payload format 3'],
    ]);
    world.check(none, empty, cut, double, large, flag);
  });

  it('gives the window back as a large request comes', () => {
    const world = new World();
    world.handle = (request) => Buffer.from(String(request.length));
    const stream = world.peer.begin(ECHO);
    const bytes = framed(Buffer.alloc(3_000_000));
    for (let at = 0; at < bytes.length; at += 16_384) {
      world.peer.send(stream, bytes.subarray(at, at + 16_384), at + 16_384 >= bytes.length);
      assert.equal(stream.consumedBytes, Math.min(at + 16_384, bytes.length));
    }
    assert.deepEqual(stream.messages.map(String), ['3000000']);
    world.check(stream);
  });

  it('whose request does not come in time is ended, and what it held is free', () => {
    const world = new World({ limits: { receiveMs: 1000 } });
    const stream = world.peer.begin(ECHO);
    world.peer.send(stream, framed(Buffer.alloc(100_000)).subarray(0, 50_000));
    assert.ok(world.server.grpc.held.unfinishedBytes >= 50_000);
    world.server.manual.advance(999);
    assert.equal(stream.over, false);
    world.server.manual.advance(9);
    assert.deepEqual(refusal(stream), [4, 'grpc: the request took too long to come']);
    world.check(stream);
  });

  it('beyond the budget of unfinished requests is refused, and there is room again when others end', () => {
    const world = new World({ limits: { maxUnfinishedBytes: 150_000 } });
    const half = framed(Buffer.alloc(100_000)).subarray(0, 60_000);
    const first = world.peer.begin(ECHO);
    world.peer.send(first, half);
    const second = world.peer.begin(ECHO);
    world.peer.send(second, half);
    assert.deepEqual(refusal(second), [8, 'grpc: too many bytes of unfinished requests']);
    world.peer.cancel(first);
    const third = world.peer.begin(ECHO);
    world.peer.send(third, half);
    assert.equal(third.over, false);
    world.peer.cancel(third);
    assert.deepEqual(world.codes, [8, 1, 1]);
    world.check(first, second, third);
  });
});

describe('the deadline of a unary call', () => {
  it('ends it with DEADLINE_EXCEEDED, tells the handler, and frees everything at once', async () => {
    const world = new World();
    const answer = new Deferred<Uint8Array>();
    let told = 0;
    let seen: number | undefined;
    world.handle = (_request, call) => {
      seen = call.deadline;
      call.onCancel(() => {
        told++;
        assert.equal(call.cancelled, true);
      });
      return answer.promise;
    };
    const stream = world.ask('hi', { 'grpc-timeout': '100m' });
    assert.equal(seen, 100);
    world.server.manual.advance(99);
    assert.equal(stream.over, false);
    world.server.manual.advance(5);
    assert.deepEqual(refusal(stream), [4, 'context deadline exceeded']);
    assert.deepEqual([told, world.codes, world.server.grpc.held], [1, [4], { ...NOTHING, calls: 1 }]);
    assert.equal(stream.releases, 0, 'the handler still has it');
    answer.resolve(Buffer.from('late'));
    await settled();
    world.check(stream);
  });

  it('ends an answer that its caller does not take', () => {
    const world = new World({}, 10);
    world.handle = () => Buffer.alloc(300 * KiB);
    const stream = world.ask('hi', { 'grpc-timeout': '1S' });
    assert.equal(world.server.grpc.held.unreadBytes, 300 * KiB);
    world.server.manual.advance(1004);
    assert.equal(stream.resetCode, 8);
    assert.deepEqual(world.codes, [0], 'it had been answered');
    world.check(stream);
  });

  it('is kept while the request comes, and 0 is one', () => {
    const world = new World();
    const slow = world.peer.begin(ECHO, { 'grpc-timeout': '50m' });
    world.peer.send(slow, framed(Buffer.alloc(10)).subarray(0, 9));
    const none = world.peer.begin(ECHO, { 'grpc-timeout': '0m' });
    world.server.manual.advance(54);
    assert.deepEqual([slow, none].map(refusal), [[4, 'context deadline exceeded'], [4, 'context deadline exceeded']]);
    world.check(slow, none);
  });
});

describe('a unary call that is cancelled', () => {
  it('tells the handler once, is CANCELLED, and its late answer touches nothing', async () => {
    const world = new World();
    const answers = [new Deferred<Uint8Array>(), new Deferred<Uint8Array>(), new Deferred<Uint8Array>()];
    let told = 0;
    let next = 0;
    world.handle = (_request, call) => {
      call.onCancel(() => told++);
      return (answers[next++] as Deferred<Uint8Array>).promise;
    };
    const first = world.ask('1');
    world.peer.cancel(first);
    assert.deepEqual([told, first.releases, world.codes], [1, 0, [1]]);
    const second = world.ask('2');
    (answers[0] as Deferred<Uint8Array>).resolve(Buffer.from('first'));
    await settled();
    assert.deepEqual([first.releases, second.messages.length], [1, 0], 'the second has a record of its own');
    const third = world.ask('3');
    world.peer.cancel(third);
    (answers[1] as Deferred<Uint8Array>).resolve(Buffer.from('second'));
    (answers[2] as Deferred<Uint8Array>).resolve(Buffer.from('third'));
    await settled();
    assert.deepEqual([second.messages.map(String), told], [['second'], 2]);
    world.check(first, second, third);
  });

  it('shows the mapper errors that come too late', async () => {
    const world = new World();
    const answer = new Deferred<Uint8Array>();
    world.handle = () => answer.promise;
    const stream = world.ask();
    world.peer.cancel(stream);
    const bug = new Error('a bug');
    answer.reject(bug);
    await settled();
    assert.deepEqual(world.server.errors.seen, [bug]);
    world.check(stream);
  });

  it('by its own handler, before that answers, is over like any other', () => {
    const world = new World();
    const stream = world.peer.begin(ECHO);
    world.handle = (request) => {
      world.peer.cancel(stream);
      return request;
    };
    world.peer.send(stream, framed(Buffer.from('hi')), true);
    assert.deepEqual(world.codes, [1]);
    world.check(stream);
  });

  it('onCancel after that is called at once, and one that throws harms nobody', async () => {
    const world = new World();
    const told: string[] = [];
    const wait = new Deferred();
    world.handle = async (request, call) => {
      call.onCancel(() => {
        throw new Error('in onCancel');
      });
      call.onCancel(() => told.push('before'));
      await wait.promise;
      call.onCancel(() => told.push('after'));
      return request;
    };
    const stream = world.ask();
    world.peer.cancel(stream);
    wait.resolve();
    await settled();
    assert.deepEqual([told, world.server.errors.seen.length], [['before', 'after'], 1]);
    world.check(stream);
  });
});

describe('a compressed request', () => {
  const compressed = (bytes: Uint8Array): Uint8Array => Buffer.concat([prefix(1, bytes.length), bytes]);

  it('is inflated, within the limit for messages', async () => {
    const world = new World({ limits: { maxReceiveBytes: 1000 } });
    const ok = world.peer.begin(ECHO, { 'grpc-encoding': 'gzip' });
    world.peer.send(ok, compressed(gzipSync('x'.repeat(1000))), true);
    const large = world.peer.begin(ECHO, { 'grpc-encoding': 'gzip' });
    world.peer.send(large, compressed(gzipSync('x'.repeat(1001))), true);
    const broken = world.peer.begin(ECHO, { 'grpc-encoding': 'gzip' });
    world.peer.send(broken, compressed(Buffer.from('nonsense')), true);
    const plain = world.peer.begin(ECHO, { 'grpc-encoding': 'gzip' });
    world.peer.send(plain, framed(Buffer.from('plain')), true);
    const unsaid = world.peer.begin(ECHO);
    world.peer.send(unsaid, compressed(gzipSync('x')), true);
    await until(() => world.server.grpc.held.calls === 0, 'all are inflated');
    assert.equal(ok.messages.map(String)[0], 'x'.repeat(1000));
    assert.deepEqual(refusal(large), [8, 'grpc: received message after decompression larger than max 1000']);
    assert.deepEqual(refusal(broken), [13, 'grpc: failed to decompress the received message: incorrect header check']);
    assert.equal(plain.messages.map(String)[0], 'plain', 'a message may be sent as it is');
    assert.deepEqual(refusal(unsaid), [13, 'grpc: compressed flag set with identity or empty encoding']);
    world.check(ok, large, broken, plain, unsaid);
  });
});
