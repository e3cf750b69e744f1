import assert from 'node:assert/strict';
import type { Method } from './method.js';
import { FakePeer, framed, type FakeStream } from './testing/fake-stream.js';
import { TestServer } from './testing/test-server.js';
import { UnreadAnswers } from './unread-answers.js';

const KiB = 1024;
const WRITE = '/t.T/Write';
const READ = '/t.T/Read';
const NOTHING = { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 };

/** Callers that take ten bytes of each answer. */
class World {
  answer = (): Uint8Array => new Uint8Array(0);
  readonly server: TestServer;
  readonly peer: FakePeer;

  constructor() {
    const unary = (refusable: boolean): Method => ({ kind: 'unary', refusable, handle: () => this.answer() });
    this.server = new TestServer({ [WRITE]: unary(false), [READ]: unary(true) }, { limits: { maxUnreadBytes: 1024 * KiB } });
    this.peer = new FakePeer(this.server.grpc, 10);
  }

  ask(path: string, fields = {}): FakeStream {
    return this.peer.ask(path, [Buffer.alloc(0)], fields);
  }

  check(...streams: readonly FakeStream[]): void {
    assert.deepEqual(this.server.grpc.held, NOTHING);
    for (const stream of streams) assert.deepEqual([stream.over, stream.releases], [true, 1]);
  }
}

const refusal = (stream: FakeStream): unknown[] => [stream.code, stream.status?.['grpc-message']];

describe('answers that nobody reads', () => {
  it('large ones are bounded among themselves, and one alone may be as large as it likes', () => {
    const unread = new UnreadAnswers(1024 * KiB, 10_000 * KiB);
    unread.add(15 * KiB);
    assert.ok(unread.admits(9000 * KiB, 0));
    unread.add(1020 * KiB);
    assert.ok(unread.admits(15 * KiB, 0));
    assert.ok(!unread.admits(16 * KiB, 0));
    unread.giveBack(1020 * KiB);
    assert.deepEqual([unread.bytes, unread.admits(16 * KiB, 0)], [15 * KiB, true]);
  });

  it('small ones count, too: beyond twice the bound nothing more is carried out', () => {
    const unread = new UnreadAnswers(1024 * KiB, 10_000 * KiB);
    for (let i = 0; i < 16; i++) unread.add(128 * KiB);
    assert.equal(unread.isTooMuch(0), false);
    unread.add(1);
    assert.equal(unread.isTooMuch(0), true);
    unread.giveBack(1);
    assert.equal(unread.isTooMuch(0), false);
  });

  it('on one connection are bounded whatever their size, and one alone may be as large as it likes', () => {
    const unread = new UnreadAnswers(1024 * KiB, 512 * KiB);
    assert.ok(unread.admits(600 * KiB, 0));
    assert.ok(unread.admits(KiB, 511 * KiB));
    assert.ok(!unread.admits(2 * KiB, 511 * KiB));
    assert.deepEqual([512 * KiB, 513 * KiB].map((bytes) => unread.isTooMuch(bytes)), [false, true]);
  });

  it('keep the next call of their connection from being carried out, if they are too many', () => {
    let handled = 0;
    const handle = (request: Uint8Array): Uint8Array => {
      handled++;
      return request;
    };
    const server = new TestServer({ '/t.T/Write': { kind: 'unary', refusable: false, handle } }, { limits: { maxUnreadOfConnection: 100 * KiB } });
    const peer = new FakePeer(server.grpc);
    const ask = (unsent: number): FakeStream => {
      const stream = peer.begin('/t.T/Write');
      stream.unsentOfConnection = unsent;
      peer.send(stream, framed(Buffer.alloc(1)), true);
      return stream;
    };
    const crowded = ask(100 * KiB + 1);
    assert.deepEqual([crowded.code, crowded.status?.['grpc-message'], handled], [8, 'crowded', 0]);
    assert.deepEqual([ask(100 * KiB).code, handled], [0, 1]);
    assert.equal(server.grpc.held.calls, 0);
  });
});

describe('large answers that are left unread', () => {
  it('are bounded: the next that may be is refused, others go out, and every way out makes room', () => {
    const world = new World();
    world.answer = () => Buffer.alloc(400 * KiB);
    const read = (): FakeStream => world.ask(READ, { 'grpc-timeout': '1S' });
    const held = [read(), read()];
    const refused = read();
    assert.deepEqual(refusal(refused), [8, 'crowded']);
    const write = world.ask(WRITE);
    assert.deepEqual([write.headers1?.[':status'], world.server.grpc.held.unreadBytes], ['200', 1200 * KiB]);
    write.take(Infinity);
    world.peer.cancel(held[0] as FakeStream);
    const again = read();
    assert.equal(again.over, false);
    world.server.manual.advance(1004);
    world.check(...held, refused, write, again);
  });

  it('C1 are bounded when they are small, too: nothing is carried out until there is room', () => {
    const world = new World();
    let handled = 0;
    world.answer = () => {
      handled++;
      return Buffer.alloc(100 * KiB);
    };
    const ask = (): FakeStream => world.ask(WRITE);
    const held = Array.from({ length: 21 }, ask);
    assert.deepEqual(held.map((stream) => stream.code), held.map(() => undefined));
    const refused = ask();
    assert.deepEqual([handled, ...refusal(refused)], [21, 8, 'crowded']);
    world.peer.cancel(held[0] as FakeStream);
    const again = ask();
    assert.deepEqual([handled, again.over], [22, false]);
    for (const stream of [...held, again]) stream.take(Infinity);
    world.check(...held, refused, again);
  });
});
