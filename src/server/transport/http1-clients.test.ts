import assert from 'node:assert/strict';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { pace } from '../web/paced-socket.js';
import { Http1Clients } from './http1-clients.js';

const HEAD = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

/** Real sockets, and a clock that the test moves. */
describe('clients of HTTP/1.1', () => {
  const clock = new ManualClock();
  let net: Server;
  let clients: Http1Clients;
  let answer: (response: ServerResponse) => void;
  let socket: Socket;
  let closed: Promise<void>;
  let heard: string;

  beforeEach(async () => {
    heard = '';
    answer = (response) => response.end('fine');
    const http1 = pace(createHttpServer((_request, response) => answer(response)));
    clients = new Http1Clients(http1, clock, { headMs: 1_000, answerMs: 5_000 });
    const taken = new Promise<void>((resolve) => {
      net = createServer((accepted) => {
        accepted.on('error', () => undefined);
        clients.take(accepted, Buffer.from('GET'));
        resolve();
      });
    });
    await new Promise<void>((resolve) => net.listen(0, '127.0.0.1', resolve));
    socket = connect((net.address() as AddressInfo).port, '127.0.0.1');
    socket.on('data', (bytes: Buffer) => (heard += bytes.toString())).on('error', () => undefined);
    closed = new Promise((resolve) => socket.on('close', () => resolve()));
    await taken;
  });

  afterEach(() => {
    socket.destroy();
    net.close();
  });

  function pass(ms: number): void {
    clock.advance(ms);
    clients.tick(clock.now());
  }

  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve));
  };

  it('that let the head of a request drip are closed in time', async () => {
    socket.write(' / HTTP/1.1\r\nx: ');
    pass(999);
    socket.write('y');
    assert.equal(socket.closed, false);
    pass(1);
    await closed;
    assert.equal(heard, '');
  });

  it('have the whole time again for the head of the next request, and no more', async () => {
    socket.write(HEAD.slice(3));
    await until(() => heard.endsWith('fine'));
    pass(900);
    socket.write(HEAD);
    await until(() => heard.endsWith('fine') && heard.indexOf('fine') < heard.lastIndexOf('fine'));
    socket.write('GET / HT');
    pass(1_000);
    await closed;
  });

  it('whose answer is not there or not taken in time are closed', async () => {
    let asked = false;
    answer = () => (asked = true);
    socket.write(HEAD.slice(3));
    await until(() => asked);
    pass(4_999);
    assert.equal(socket.closed, false);
    pass(1);
    await closed;
  });

  it('whose answer takes long are waited for, as long as they take what there is of it', async () => {
    let begun: ServerResponse | undefined;
    answer = (response) => (begun = response);
    socket.write(HEAD.slice(3));
    await until(() => begun !== undefined);
    begun?.emit('long');
    for (let i = 0; i < 10; i++) pass(5_000);
    begun?.write('first');
    await until(() => heard.includes('first'));
    pass(5_000);
    assert.equal(socket.closed, false);
    socket.pause();
    begun?.write(Buffer.alloc(16 * 1024 * 1024));
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    pass(5_000);
    pass(5_000);
    pass(5_000);
    socket.resume();
    await closed;
  });
});
