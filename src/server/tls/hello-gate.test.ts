import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { HelloGate, MAX_HANDSHAKES, placeOf } from './hello-gate.js';

const HELLO = Buffer.concat([Buffer.from([22, 3, 1, 0, 4]), Buffer.from('hey!')]);

describe('handshakes of TLS that begin', () => {
  let clock: ManualClock;
  /** What has been spent on those that began. */
  let spentMs: number;
  let costMs: number;
  let server: Server;
  let gate: HelloGate;
  let served: Socket[];
  let begun: Socket[];
  let late: Socket[];
  const clients: Socket[] = [];

  beforeEach(async () => {
    clock = new ManualClock();
    [served, begun, late, spentMs, costMs] = [[], [], [], 0, 0];
    const sendAway = (socket: Socket): void => {
      late.push(socket);
      socket.destroy();
    };
    const begin = (socket: Socket): void => {
      begun.push(socket);
      spentMs += costMs;
    };
    const now = (): number => clock.now() + spentMs;
    const timed = { now, wallNow: now, setTimer: clock.setTimer.bind(clock), defer: clock.defer.bind(clock) };
    gate = new HelloGate({ clock: timed, handshakeMs: 1_000 }, begin, sendAway);
    server = createServer((socket) => {
      served.push(socket);
      gate.take(socket);
    });
    await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 }, resolve));
  });

  afterEach(() => {
    gate.close();
    for (const socket of [...clients.splice(0), ...served]) socket.destroy();
    server.close();
  });

  async function until(isSo: () => boolean): Promise<void> {
    for (let turns = 0; !isSo(); turns++) {
      assert.ok(turns < 100_000, 'it does not come to that');
      await turn();
    }
  }

  /** Connected, as the port has it. */
  async function comes(bytes: Uint8Array = new Uint8Array(0)): Promise<Socket> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
    clients.push(socket);
    await new Promise<void>((resolve) => socket.on('connect', resolve));
    const { localPort } = socket;
    await until(() => served.some(({ remotePort }) => remotePort === localPort));
    const here = served.find(({ remotePort }) => remotePort === localPort) as Socket;
    await says(socket, here, bytes);
    return here;
  }

  /** It has been read. */
  async function says(socket: Socket, here: Socket, bytes: Uint8Array): Promise<void> {
    const before = here.bytesRead;
    if (bytes.length > 0) socket.write(bytes);
    await until(() => here.bytesRead === before + bytes.length);
    await turn();
  }

  it('begin with a whole record, in however many pieces it comes, which lies unread then', async () => {
    const here = await comes(HELLO.subarray(0, 3));
    await comes();
    assert.deepEqual(begun, []);
    await says(clients[0] as Socket, here, HELLO.subarray(3, 8));
    assert.deepEqual(begun, []);
    await says(clients[0] as Socket, here, HELLO.subarray(8));
    assert.deepEqual(begun, [here]);
    assert.deepEqual([here.read(), here.listenerCount('readable'), here.listenerCount('end')], [HELLO, 0, 1]);
  });

  it('begin at once with what is no TLS, which is told so', async () => {
    const plain = await comes(Buffer.from('GET'));
    const long = await comes(Buffer.from([22, 3, 1, 255, 255]));
    await until(() => begun.length === 2);
    assert.deepEqual(begun, [plain, long]);
  });

  it('C1 begin one after the other, and have a quarter of the time together', async () => {
    costMs = 4;
    const all = [await comes(HELLO), await comes(HELLO), await comes(HELLO), await comes(HELLO)];
    assert.equal(begun.length, 1);
    clock.advance(11);
    await turn();
    assert.equal(begun.length, 1);
    clock.advance(1);
    await turn();
    assert.equal(begun.length, 2);
    // However long one took, the next does not wait for ever.
    costMs = 1_000;
    clock.advance(12);
    await turn();
    assert.equal(begun.length, 3);
    clock.advance(19);
    await turn();
    assert.equal(begun.length, 3);
    clock.advance(1);
    assert.deepEqual(begun, all);
  });

  it('C1 are bounded: the oldest goes of those that said nothing whole, and nobody who waits for a turn', async () => {
    costMs = 4;
    const [begins, waits] = [await comes(HELLO), await comes(HELLO)];
    const silent: Socket[] = [];
    for (let i = 0; i < MAX_HANDSHAKES + 10; i++) silent.push(await comes());
    assert.deepEqual([begins, waits, ...silent].map(({ destroyed }) => destroyed).indexOf(true), 2);
    assert.equal(silent.filter(({ destroyed }) => destroyed).length, 12);
    assert.ok(silent.slice(0, 12).every(({ destroyed }) => destroyed));
    clock.advance(12);
    assert.deepEqual(begun, [begins, waits]);
  });

  it('begin with nobody who has left while he waited', async () => {
    costMs = 4;
    const [first, leaves] = [await comes(HELLO), await comes(HELLO)];
    leaves.destroy();
    clock.advance(12);
    assert.deepEqual(begun, [first]);
  });

  it('C1 end when their time is over, wherever they stand, but for those that came to an end', async () => {
    const [done, hangs] = [await comes(HELLO), await comes(HELLO)];
    gate.ended(placeOf(done) ?? '');
    const half = await comes(HELLO.subarray(0, 3));
    const silent = await comes();
    clock.advance(600);
    const after = await comes();
    clock.advance(900);
    assert.deepEqual(new Set(late), new Set([hangs, half, silent]));
    assert.ok(!done.destroyed && !after.destroyed);
    await until(() => late.every(({ closed }) => closed));
    clock.advance(1_000);
    assert.ok(late.includes(after));
    await until(() => after.closed);
    await turn();
    clock.advance(1_000);
    assert.equal(clock.timers, 0, 'nothing is left to be looked at');
  });
});
