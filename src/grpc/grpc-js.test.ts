import assert from 'node:assert/strict';
import { Client, credentials, Metadata, status, type CallOptions, type ServiceError } from '@grpc/grpc-js';
import { Deferred } from '../base/deferred.js';
import { testClock } from '../base/testing/test-env.js';
import type { ServerCall, Method } from './method.js';
import { RpcError } from './status.js';
import { NetServer } from './testing/net-server.js';
import { settled, TestServer, until } from './testing/test-server.js';

const MiB = 1024 * 1024;
const identity = (bytes: Buffer): Buffer => bytes;
const NOTHING = { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 };

/** Somebody else's client, over a real socket. */
describe('the client of grpc-js', () => {
  let server: TestServer;
  let net: NetServer;
  let client: Client;
  let unary: (request: Uint8Array, call: ServerCall) => Uint8Array | Promise<Uint8Array>;

  const methods: Record<string, Method> = {
    '/t.T/Unary': { kind: 'unary', refusable: false, handle: (request, call) => unary(request, call) },
    '/t.T/Down': {
      kind: 'server-stream',
      handle: async (request, out) => {
        const [count = 0, size = 0] = Buffer.from(request).toString().split(',').map(Number);
        for (let i = 0; i < count; i++) await out.write(Buffer.alloc(size, i));
      },
    },
    '/t.T/Up': {
      kind: 'client-stream',
      handle: async (requests, out) => {
        const sizes: number[] = [];
        for await (const request of requests) sizes.push(request.length);
        await out.write(Buffer.from(JSON.stringify(sizes)));
      },
    },
    '/t.T/Both': {
      kind: 'bidi',
      handle: async (requests, out) => {
        for await (const request of requests) await out.write(request);
      },
    },
  };

  async function start(options = {}, limits = {}): Promise<void> {
    server = new TestServer(methods, { clock: testClock });
    net = await NetServer.start(server.grpc, limits);
    client = new Client(net.address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1, ...options,
    });
    unary = (request) => request;
  }

  /** Every test ends with nothing that is held, and each call counted once. */
  afterEach(async () => {
    client.close();
    await net.stop();
    await until(() => server.grpc.held.calls === 0, 'no call is left');
    server.grpc.stop();
    assert.deepEqual(server.grpc.held, NOTHING);
    assert.equal(server.stats.started, server.stats.ended);
  });

  function ask(request: Uint8Array, metadata = new Metadata(), options: CallOptions = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest('/t.T/Unary', identity, identity, Buffer.from(request), metadata, options,
        (error, response) => (error === null ? resolve(response as Buffer) : reject(error)));
    });
  }

  async function refused(promise: Promise<unknown>, code: number, details: string | RegExp): Promise<ServiceError> {
    try {
      await promise;
    } catch (error) {
      const { code: got, details: said } = error as ServiceError;
      assert.equal(got, code, said);
      if (typeof details === 'string') assert.equal(said, details);
      else assert.match(said, details);
      return error as ServiceError;
    }
    assert.fail('it was answered');
  }

  it('gets answers, at once and later, many at a time', async () => {
    await start();
    unary = (request) => (request.length % 2 === 0 ? request : settled().then(() => request));
    const requests = Array.from({ length: 200 }, (_, i) => Buffer.alloc(i * 7, i));
    const answers = await Promise.all(requests.map((request) => ask(request)));
    assert.deepEqual(answers, requests);
  });

  it('gets errors with any text, and details', async () => {
    await start();
    unary = () => {
      throw new RpcError(9, 'Grüße: 100%\n', Uint8Array.of(8, 9, 250));
    };
    const error = await refused(ask(Buffer.alloc(0)), 9, 'Grüße: 100%\n');
    assert.deepEqual(error.metadata.get('grpc-status-details-bin'), [Buffer.from([8, 9, 250])]);
    const nope = new Promise((resolve, reject) => {
      client.makeUnaryRequest('/t.T/Nope', identity, identity, Buffer.alloc(0), (e, r) => (e === null ? resolve(r) : reject(e)));
    });
    await refused(nope, 12, 'unknown method Nope for service t.T');
  });

  it('sends metadata, also bytes', async () => {
    await start();
    unary = (_request, call) => Buffer.concat([Buffer.from(`${call.metadata('token')} `), call.metadataBytes('trace-bin') ?? Buffer.alloc(0)]);
    const metadata = new Metadata();
    metadata.set('token', 'abc');
    metadata.set('trace-bin', Buffer.from('\x00\xff', 'latin1'));
    assert.equal((await ask(Buffer.alloc(0), metadata)).toString('latin1'), 'abc \x00\xff');
  });

  it('has deadlines that the server keeps', async () => {
    await start();
    const told = new Deferred<number>();
    unary = (_request, call) => {
      call.onCancel(() => told.resolve((call.deadline ?? 0) - testClock.now()));
      return told.promise.then(() => Buffer.alloc(0));
    };
    // The client keeps its deadline, too; whichever is first, the handler is told.
    await refused(ask(Buffer.alloc(0), new Metadata(), { deadline: Date.now() + 60 }), 4, /deadline/i);
    assert.ok((await told.promise) < 60);
  });

  it('cancels, and the handler is told', async () => {
    await start();
    const began = new Deferred();
    const told = new Deferred();
    unary = (request, call) => {
      call.onCancel(told.resolve);
      began.resolve();
      return told.promise.then(() => request);
    };
    const call = client.makeUnaryRequest('/t.T/Unary', identity, identity, Buffer.alloc(0), () => undefined);
    await began.promise;
    call.cancel();
    await told.promise;
  });

  it('sends gzip, and is refused above the limit for messages', async () => {
    await start({ 'grpc.default_compression_algorithm': 2 });
    const large = Buffer.from('0123456789'.repeat(10_000));
    assert.deepEqual(await ask(large), large);
    await refused(ask(Buffer.alloc(5 * MiB)), 8, `grpc: received message after decompression larger than max ${4 * MiB}`);
  });

  it('sends and gets messages larger than the windows, and is refused above the limit', async () => {
    await start({}, { streamWindowBytes: 65_535, connectionWindowBytes: 65_535 });
    const large = Buffer.alloc(4 * MiB, 'large ');
    assert.ok((await ask(large)).equals(large));
    await refused(ask(Buffer.alloc(4 * MiB + 1)), 8, `grpc: received message larger than max (${4 * MiB + 1} vs. ${4 * MiB})`);
    assert.ok((await ask(Buffer.from('on'))).equals(Buffer.from('on')), 'the connection goes on');
    const both = client.makeBidiStreamRequest('/t.T/Both', identity, identity);
    both.end(large);
    const [first] = await both.toArray() as Buffer[];
    assert.ok(first?.equals(large));
  });

  it('reads a stream slowly, and nothing is lost or piled up', async () => {
    await start();
    const stream = client.makeServerStreamRequest('/t.T/Down', identity, identity, Buffer.from('64,262144'));
    let n = 0;
    for await (const message of stream as AsyncIterable<Buffer>) {
      assert.deepEqual([message.length, message[0], message[262_143]], [262_144, n, n]);
      n++;
      if (n % 8 === 0) for (let i = 0; i < 20; i++) await settled();
    }
    assert.equal(n, 64);
  });

  it('leaves a stream in the middle', async () => {
    await start();
    const stream = client.makeServerStreamRequest('/t.T/Down', identity, identity, Buffer.from('100000,10000'));
    stream.on('error', (error: ServiceError) => assert.equal(error.code, status.CANCELLED));
    await new Promise((resolve) => stream.once('data', resolve));
    stream.cancel();
    await until(() => server.stats.ended > 0, 'the call has ended');
    assert.deepEqual(server.stats.codes('/t.T/Down'), [1]);
  });

  it('streams requests, with back-pressure, and gets the answer', async () => {
    await start({}, { streamWindowBytes: 65_535, connectionWindowBytes: 65_535 });
    const answer = new Deferred<Buffer>();
    const stream = client.makeClientStreamRequest('/t.T/Up', identity, identity,
      (error, response) => (error === null ? answer.resolve(response as Buffer) : answer.reject(error)));
    const sizes = [0, 1, 100, 70_000, 1_000_000, 3, 500_000];
    for (const size of sizes) stream.write(Buffer.alloc(size));
    stream.end();
    assert.deepEqual(JSON.parse((await answer.promise).toString()), sizes);
  });

  it('talks both ways, message by message and all at once', async () => {
    await start();
    const chat = client.makeBidiStreamRequest('/t.T/Both', identity, identity);
    for (let i = 0; i < 20; i++) {
      const heard = new Promise<Buffer>((resolve) => chat.once('data', resolve));
      chat.write(Buffer.from(`word ${i}`));
      assert.equal((await heard).toString(), `word ${i}`);
    }
    chat.end();
    await new Promise((resolve) => chat.once('end', resolve));
    const all = client.makeBidiStreamRequest('/t.T/Both', identity, identity);
    const sent = Array.from({ length: 300 }, (_, i) => Buffer.alloc(i * 50, i));
    for (const message of sent) all.write(message);
    all.end();
    assert.deepEqual(await all.toArray(), sent);
  });

  it('is cut off, and every call is given back', async () => {
    await start();
    const held = new Deferred<Uint8Array>();
    let begun = 0;
    unary = () => {
      begun++;
      return held.promise;
    };
    const calls = Array.from({ length: 20 }, () => ask(Buffer.alloc(10)).catch((error: ServiceError) => error.code));
    const chat = client.makeBidiStreamRequest('/t.T/Both', identity, identity);
    chat.on('error', () => undefined);
    chat.write(Buffer.from('x'));
    await new Promise((resolve) => chat.once('data', resolve));
    await until(() => begun === 20, 'all are begun');
    net.cut();
    assert.deepEqual(new Set(await Promise.all(calls)), new Set([status.UNAVAILABLE]));
    await until(() => server.stats.ended === 21, 'all have ended');
    assert.deepEqual(new Set(server.stats.codes('/t.T/Unary')), new Set([1]));
    held.resolve(Buffer.alloc(0));
  });
});
