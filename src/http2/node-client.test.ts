import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type ClientSessionOptions } from 'node:http2';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { testClock } from '../base/testing/test-env.js';
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from './limits.js';
import { Http2Pool } from './pool.js';
import { assertGivenBack } from './testing/given-back.js';
import { DONE, OK, PREFIX, echo, echoInPieces, withPrefix } from './testing/responses.js';
import { SocketShell } from './testing/socket-shell.js';
import { TestHandler, type Call } from './testing/test-handler.js';

/** A server on a real socket with somebody else's client. */
class World {
  readonly handler = new TestHandler();
  readonly #pool = new Http2Pool(testClock);
  readonly #server;
  shell!: SocketShell;
  client!: ClientHttp2Session;

  constructor(limits: Partial<Http2Limits>) {
    this.#server = createServer((socket: Socket) => {
      this.shell = new SocketShell({ socket, handler: this.handler, limits: { ...DEFAULT_HTTP2_LIMITS, ...limits }, pool: this.#pool });
    });
  }

  static async run(limits: Partial<Http2Limits>, options: ClientSessionOptions, test: (world: World) => Promise<void>): Promise<void> {
    const world = new World(limits);
    await once(world.#server.listen(0, '127.0.0.1'), 'listening');
    world.client = connect(`http://127.0.0.1:${(world.#server.address() as AddressInfo).port}`, options);
    try {
      await once(world.client, 'connect');
      await test(world);
      world.client.close();
    } finally {
      world.client.destroy();
      world.#server.close();
    }
    await world.shell.gone;
    assertGivenBack({ connection: world.shell.connection, pool: world.#pool, handler: world.handler });
  }

  open(path = '/'): ClientHttp2Stream {
    return this.client.request({ ':method': 'POST', ':path': path });
  }
}

interface Outcome {
  readonly status: unknown;
  readonly body: Buffer;
  readonly trailer: unknown;
  readonly code: number | undefined;
}

async function outcome(stream: ClientHttp2Stream): Promise<Outcome> {
  const parts: Buffer[] = [];
  let status: unknown;
  let trailer: unknown;
  stream.on('response', (headers) => (status = headers[':status']));
  stream.on('trailers', (headers) => (trailer = headers['x-status']));
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.on('close', resolve));
  return { status, body: Buffer.concat(parts), trailer, code: stream.rstCode };
}

async function exchange(world: World, body: Buffer): Promise<void> {
  const stream = world.open();
  stream.end(body);
  assert.deepEqual(await outcome(stream), { status: 200, body: withPrefix(body), trailer: '0', code: 0 });
}

function bytes(length: number): Buffer {
  const all = Buffer.alloc(length);
  for (let i = 0; i < length; i++) all[i] = length + i * 13 + (i >> 9);
  return all;
}

describe("node:http2's client", () => {
  for (const [how, answer] of [['at once', echo], ['in pieces', echoInPieces]] as const) {
    it(`many streams at a time, answered ${how}`, async () => {
      await World.run({}, {}, async (world) => {
        world.handler.onEnd = answer;
        await Promise.all(Array.from({ length: 1_000 }, (_, i) => exchange(world, bytes(i * 3))));
      });
    });
  }

  it('answers that come on later turns', async () => {
    await World.run({}, {}, async (world) => {
      world.handler.onEnd = (call) => void setImmediate(() => (call.id % 3 === 0 ? echo(call) : setImmediate(() => echo(call))));
      await Promise.all(Array.from({ length: 300 }, (_, i) => exchange(world, bytes(i))));
    });
  });

  it('large bodies both ways', async () => {
    await World.run({}, {}, async (world) => {
      world.handler.onEnd = echo;
      await Promise.all([exchange(world, bytes(4_000_000)), exchange(world, bytes(2_000_000)), exchange(world, bytes(100))]);
    });
  });

  it('small windows on both sides', async () => {
    const limits = { streamWindowBytes: 1_000, connectionWindowBytes: 65_535, maxUnsentBytes: 10_000 };
    await World.run(limits, { settings: { initialWindowSize: 2_000, headerTableSize: 0 } }, async (world) => {
      world.handler.onEnd = echo;
      await Promise.all(Array.from({ length: 30 }, (_, i) => exchange(world, bytes(i * 3_000))));
    });
  });

  it('more streams than are allowed wait in the client', async () => {
    await World.run({ maxConcurrentStreams: 10 }, {}, async (world) => {
      world.handler.onEnd = (call) => void setImmediate(() => echo(call));
      await exchange(world, bytes(1));
      let most = 0;
      world.handler.onRequest = () => (most = Math.max(most, world.shell.connection.openStreams));
      await Promise.all(Array.from({ length: 200 }, (_, i) => exchange(world, bytes(i))));
      assert.ok(most <= 10);
    });
  });

  it('aborts of both sides, and the others go on', async () => {
    await World.run({}, {}, async (world) => {
      const { handler } = world;
      const answer = (call: Call): void => (call.path === '/refused' ? call.stream.reset(constants.NGHTTP2_REFUSED_STREAM) : echo(call));
      handler.onEnd = (call) => void setImmediate(() => answer(call));
      const cancelled = Array.from({ length: 100 }, () => {
        const stream = world.open('/cancelled');
        stream.write(bytes(1_000));
        setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
        return outcome(stream);
      });
      const refused = Array.from({ length: 100 }, () => outcome(world.open('/refused').end(bytes(10))));
      await Promise.all(Array.from({ length: 100 }, (_, i) => exchange(world, bytes(i * 100))));
      assert.ok((await Promise.all(cancelled)).every(({ code }) => code === constants.NGHTTP2_CANCEL));
      assert.ok((await Promise.all(refused)).every(({ code }) => code === constants.NGHTTP2_REFUSED_STREAM));
      await exchange(world, bytes(10));
    });
  });

  it('an answer before the end of the request', async () => {
    await World.run({}, {}, async (world) => {
      world.handler.onRequest = ({ stream }) => stream.respond(OK, PREFIX, bytes(100), DONE);
      const stream = world.open();
      stream.write(bytes(10));
      const { status, body, trailer, code } = await outcome(stream);
      assert.deepEqual([status, body, trailer, code], [200, withPrefix(bytes(100)), '0', constants.NGHTTP2_NO_ERROR]);
      world.handler.onRequest = () => undefined;
      world.handler.onEnd = echo;
      await exchange(world, bytes(10));
    });
  });

  it('pings are answered', async () => {
    await World.run({}, {}, async (world) => {
      const payload = bytes(8);
      const [error, , answer] = await new Promise<unknown[]>((resolve) => void world.client.ping(payload, (...all) => resolve(all)));
      assert.deepEqual([error, answer], [null, payload]);
    });
  });

  it('a drain: what runs is answered, the client hears of it, and the connection closes', async () => {
    await World.run({}, {}, async (world) => {
      world.handler.onEnd = (call) => void setImmediate(() => setImmediate(() => echo(call)));
      const running = Array.from({ length: 50 }, (_, i) => exchange(world, bytes(i * 1_000)));
      while (world.handler.calls.length < 10) await new Promise((resolve) => setImmediate(resolve));
      world.shell.connection.drain();
      await Promise.all(running);
      await world.shell.gone;
    });
  });

  it('a client that is gone in the midst of it', async () => {
    await World.run({}, {}, async (world) => {
      const streams = Array.from({ length: 50 }, () => world.open());
      for (const stream of streams) {
        stream.on('error', () => undefined);
        stream.write(bytes(30_000));
      }
      while (world.handler.calls.length < 50) await new Promise((resolve) => setImmediate(resolve));
      world.client.destroy();
      await world.shell.gone;
      assert.ok(world.handler.calls.every(({ over }) => over === false));
    });
  });
});
