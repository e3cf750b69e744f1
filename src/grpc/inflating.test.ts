import assert from 'node:assert/strict';
import type { Method } from './method.js';
import { FakePeer, prefix, type FakeStream } from './testing/fake-stream.js';
import { HeldInflater, settled, TestServer } from './testing/test-server.js';

const ONE = '/t.T/One';
const MANY = '/t.T/Many';
const NOTHING = { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 };

const METHODS: Readonly<Record<string, Method>> = {
  [ONE]: { kind: 'unary', refusable: false, handle: (request) => request },
  [MANY]: {
    kind: 'bidi',
    handle: async (requests, out) => {
      for await (const request of requests) await out.write(request);
    },
  },
};

class World {
  readonly inflater = new HeldInflater();
  readonly server = new TestServer(METHODS, { inflater: this.inflater, limits: { maxUnfinishedBytes: 250 } });
  readonly peer = new FakePeer(this.server.grpc);

  /** A call with a message of 100 compressed bytes. */
  ask(path: string): FakeStream {
    const stream = this.peer.begin(path, { 'grpc-encoding': 'deflate' });
    this.peer.send(stream, Buffer.concat([prefix(1, 100), Buffer.alloc(100)]), path === ONE);
    return stream;
  }

  async check(...streams: readonly FakeStream[]): Promise<void> {
    await settled();
    assert.deepEqual(this.server.grpc.held, NOTHING);
    assert.equal(this.server.stats.started, this.server.stats.ended);
    for (const stream of streams) assert.deepEqual([stream.over, stream.releases], [true, 1]);
  }
}

describe('a message that is inflated', () => {
  it('counts while it waits for that, and is refused when there are too many', async () => {
    const world = new World();
    const { inflater } = world;
    const [one, two, refused] = [world.ask(ONE), world.ask(ONE), world.ask(ONE)];
    await settled();
    assert.deepEqual([refused.code, refused.status?.['grpc-message']], [8, 'grpc: too many bytes of unfinished requests']);
    assert.deepEqual([inflater.pending.length, world.server.grpc.held.unfinishedBytes], [2, 200]);
    for (const { settle } of inflater.pending) settle(Buffer.from('whole'));
    await settled();
    const three = world.ask(ONE);
    inflater.pending[2]?.settle(undefined);
    await world.check(one, two, refused, three);
  });

  it('may be cancelled meanwhile', async () => {
    const world = new World();
    const stream = world.ask(ONE);
    world.peer.cancel(stream);
    assert.deepEqual([stream.releases, world.inflater.pending[0]?.encoding], [0, 'deflate']);
    world.inflater.pending[0]?.settle(Buffer.from('late'));
    await world.check(stream);
  });

  it('C1 may be cancelled in a stream of them, and turn out to be bad: nobody is told any more', async () => {
    const world = new World();
    const stream = world.ask(MANY);
    world.peer.cancel(stream);
    await settled();
    assert.deepEqual([stream.releases, world.inflater.pending.length], [1, 1]);
    world.inflater.pending[0]?.settle(undefined);
    await world.check(stream);
  });
});
