/** Handshakes that never end hold no connection for ever (GHSA-6vch-q96h-7gc3 was etcd's). */

import { connect, type Socket } from 'node:net';
import { nodeClock } from '../env/node-env.js';
import { silent } from '../../base/testing/silent.js';
import { TestServer } from '../../grpc/testing/test-server.js';
import { DEFAULT_HTTP2_LIMITS } from '../../http2/limits.js';
import { ClientPort } from './client-port.js';
import { listenAddress } from './listen-address.js';
import { openTls } from '../tls/testing/open-tls.js';
import { TEST_CERTIFICATE, TEST_KEY } from './testing/test-certificate.js';

const HELLO_BEGINS = Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]);

describe('a client that does not come further', () => {
  let port: ClientPort;
  let socket: Socket;

  beforeEach(() => {
    const { grpc } = new TestServer({});
    const limits = { ...DEFAULT_HTTP2_LIMITS, handshakeMs: 60 };
    port = new ClientPort({ handler: grpc, limits, clock: nodeClock, events: silent, http1: undefined, maxConnections: 10 });
  });

  afterEach(() => {
    socket.destroy();
    port.close();
  });

  /** Resolves when the server has closed. */
  async function says(bytes: Uint8Array, tls: boolean): Promise<void> {
    const number = await port.listen(listenAddress('http://127.0.0.1:0'), tls ? await openTls({ cert: TEST_CERTIFICATE, key: TEST_KEY }) : undefined);
    socket = connect(number, '127.0.0.1').on('error', () => undefined).resume();
    if (bytes.length > 0) socket.write(bytes);
    await new Promise((resolve) => socket.on('close', resolve));
  }

  it('than to be connected is closed, over TCP', () => says(new Uint8Array(0), false));
  it('than to be connected is closed, over TLS', () => says(new Uint8Array(0), true));
  it('than a part of the preface is closed', () => says(Buffer.from('PRI * HT'), false));
  it('than the preface is closed', () => says(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), false));
  it('than a part of the handshake of TLS is closed', () => says(HELLO_BEGINS, true));
});
