import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server } from '@grpc/grpc-js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { forceClose } from './force-close.js';
import { sessionsOf } from './grpc-sessions.js';
import { PeerDoor } from './peer-door.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

describe('the door of the peers', () => {
  let clock: ManualClock;
  let grpc: Server;
  let door: PeerDoor;
  let port: number;
  const clients: Socket[] = [];

  beforeEach(async () => {
    clock = new ManualClock();
    grpc = new Server();
    door = new PeerDoor(grpc, undefined, 'http://localhost:0', clock);
    port = await door.listen();
  });

  afterEach(() => {
    for (const socket of clients.splice(0)) socket.destroy();
    door.close();
    forceClose(grpc);
  });

  async function comes(bytes: Uint8Array, host = '127.0.0.1'): Promise<Socket> {
    const socket = connect(port, host).on('error', () => undefined).resume();
    clients.push(socket);
    await new Promise<void>((resolve) => socket.on('connect', resolve));
    if (bytes.length > 0) socket.write(bytes);
    return socket;
  }

  const closed = (socket: Socket): Promise<void> => (socket.closed ? Promise.resolve() : new Promise((resolve) => socket.on('close', () => resolve())));

  async function sessions(count: number): Promise<void> {
    for (let times = 0; sessionsOf(grpc).length !== count; times++) {
      assert.ok(times < 500, `${sessionsOf(grpc).length} sessions, not ${count}`);
      await sleep(10);
    }
  }

  it('C1 who has said the preface is handed on, with all that he has said; who says something else is gone', async () => {
    const socket = await comes(PREFACE.subarray(0, 9));
    await closed(await comes(Buffer.from('GET / HTTP/1.1\r\n\r\n')));
    await closed(await comes(Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3])));
    assert.equal(sessionsOf(grpc).length, 0);
    const answers = new Promise<Buffer>((resolve) => socket.once('data', resolve));
    // With settings, of none.
    socket.write(Buffer.concat([PREFACE.subarray(9), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]));
    await sessions(1);
    assert.equal((await answers)[3], 4, 'it answers with its own settings');
  });

  it('C1 who begins and does not go on is gone after five seconds, and who was handed on is not', async () => {
    const [silent, half] = [await comes(new Uint8Array(0)), await comes(PREFACE.subarray(0, 9))];
    const whole = await comes(PREFACE);
    await sessions(1);
    clock.advance(4_400);
    await sleep(50);
    assert.ok(!silent.closed && !half.closed);
    clock.advance(1_000);
    await Promise.all([closed(silent), closed(half)]);
    assert.ok(!whole.closed);
  });

  it('that is taken is named', async () => {
    const other = new PeerDoor(grpc, undefined, `127.0.0.1:${port}`, clock);
    await assert.rejects(other.listen(), { code: 'UNREACHABLE', message: /cannot listen on 127.0.0.1:\d+: .*EADDRINUSE/ });
  });
});
