import assert from 'node:assert/strict';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { RpcStats } from '../../observability/rpc-stats.js';
import { silent } from '../../base/testing/silent.js';
import type { Method } from '../../grpc/method.js';
import type { ClientPort } from '../transport/client-port.js';
import { listenAddress } from '../transport/listen-address.js';
import { clientPort } from './client-server.js';

const MIB = 1 << 20;
const RANGE = '/etcdserverpb.KV/Range';
const PUT = '/etcdserverpb.KV/Put';

describe('answers that nobody reads', () => {
  let server: ClientPort;
  let session: ClientHttp2Session;

  before(async () => {
    const big = (refusable: boolean): Method => ({ kind: 'unary', refusable, handle: () => Promise.resolve(Buffer.alloc(MIB)) });
    server = clientPort(new Map([[RANGE, big(true)], [PUT, big(false)]]), {
      maxReceiveBytes: MIB, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: silent, maxUnreadBytes: 3 * MIB,
    });
    const port = await server.listen(listenAddress('http://127.0.0.1:0'));
    // A window of nothing: whatever the server sends stays with the server.
    session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } });
    session.on('error', () => undefined);
    await new Promise((resolve) => session.once('remoteSettings', resolve));
  });
  after(() => {
    session.destroy();
    server.close();
  });

  /** Resolves when the server has answered: to its status if that was all, else to undefined. */
  function ask(path: string): Promise<{ readonly stream: ClientHttp2Stream; readonly code: string | undefined }> {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
    stream.on('error', () => undefined).pause();
    stream.end(Buffer.alloc(5));
    return new Promise((resolve) => stream.once('response', (headers) => resolve({ stream, code: headers['grpc-status'] as string | undefined })));
  }

  it('are bounded: the next large read is refused, a write that happened is answered, and closing a stream makes room', async () => {
    const held = [await ask(RANGE), await ask(RANGE), await ask(RANGE)];
    assert.deepEqual(held.map(({ code }) => code), [undefined, undefined, undefined]);
    assert.equal((await ask(RANGE)).code, '8');
    assert.equal((await ask(PUT)).code, undefined);
    for (const { stream } of held) stream.close(8);
    let rounds = 0;
    // A closed stream ends on the server some turns later: each question is a turn.
    while ((await ask(RANGE)).code !== undefined) assert.ok(++rounds < 1000, 'closed streams were never given back');
  });
});

describe('a client that takes nothing of what it is sent', () => {
  it('is cut off, and holds nothing', async () => {
    let handled = 0;
    const handle = (): Buffer => {
      handled++;
      return Buffer.alloc(8 * MIB);
    };
    const server = clientPort(new Map([[RANGE, { kind: 'unary', refusable: true, handle }]]), {
      maxReceiveBytes: MIB, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: silent, stalledMs: 100,
    });
    const port = await server.listen(listenAddress('http://127.0.0.1:0'));
    const socket = connectTcp(port, '127.0.0.1').on('error', () => undefined).pause();
    const session = connect('http://localhost', { createConnection: () => socket, settings: { initialWindowSize: 0x7fff_ffff } });
    session.on('error', () => undefined);
    // Windows as large as they may be, so that what waits does so in the socket.
    session.on('connect', () => session.setLocalWindowSize(0x7fff_ffff));
    for (let i = 0; i < 8; i++) {
      const stream = session.request({ ':method': 'POST', ':path': RANGE, 'content-type': 'application/grpc', te: 'trailers' });
      stream.on('error', () => undefined).end(Buffer.alloc(5));
    }
    setImmediate(() => socket.pause());
    for (let rounds = 0; handled === 0 || server.connections > 0; rounds++) {
      assert.ok(rounds < 2_000, 'it was never cut off');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    session.destroy();
    server.close();
  });
});
