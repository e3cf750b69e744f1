import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/env.js';
import { nodeClock } from '../env/node-env.js';
import { Http2Pool } from '../../http2/pool.js';
import { PeerStream, type PeerStreamOwner, type StreamRefusal } from './peer-stream.js';

/** Time passes when the test says so; one timer is set at a time. */
class Time {
  #now = 0;
  #due: () => void = () => undefined;
  readonly clock: Clock = {
    ...nodeClock,
    now: () => this.#now,
    setTimer: (_delayMs, fn) => {
      this.#due = fn;
      return { cancel: () => (this.#due = () => undefined) };
    },
  };

  pass(ms: number): void {
    this.#now += ms;
    this.#due();
  }
}

class Owner implements PeerStreamOwner {
  readonly over: (StreamRefusal | undefined)[] = [];
  streamUp(): void {
    assert.fail('the peer says nothing');
  }
  streamRoom(): void {
    assert.fail('nothing waits');
  }
  streamOver(_stream: PeerStream, refusal: StreamRefusal | undefined): void {
    this.over.push(refusal);
  }
}

describe('the stream to a peer', () => {
  let mute: Server;
  let address: string;

  beforeEach(async () => {
    mute = createServer();
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    address = `127.0.0.1:${(mute.address() as AddressInfo).port}`;
  });

  afterEach(() => void mute.close());

  it('that says nothing any more is over, and not for what this process was held up itself', async () => {
    const settings = Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0);
    const taken = new Promise<Socket>((resolve) => mute.once('connection', resolve));
    const time = new Time();
    const owner = new Owner();
    const parts = { clock: time.clock, pool: new Http2Pool(time.clock), silentMs: 100, identity: {}, tls: undefined };
    const stream = new PeerStream(address, parts, owner);
    const acknowledged = new Promise<void>((resolve) => {
      const isAck = (chunk: Buffer): boolean => chunk.subarray(-9).equals(Uint8Array.of(0, 0, 0, 4, 1, 0, 0, 0, 0));
      void taken.then((socket) => socket.on('data', (chunk: Buffer) => isAck(chunk) && resolve()));
    });
    for (let ms = 0; ms < 1_000; ms += 25) time.pass(25);
    assert.deepEqual(owner.over, [], 'how long it may take until its first word is not the stream\'s to say');
    (await taken).write(settings);
    await acknowledged;
    assert.ok(stream.isTaken);
    time.pass(10_000);
    time.pass(10_000);
    assert.deepEqual(owner.over, []);
    for (let ms = 0; ms < 300; ms += 25) time.pass(25);
    assert.deepEqual(owner.over, [undefined]);
    assert.ok(!stream.isTaken);
    stream.write(new Uint8Array(10));
    stream.flush();
    assert.equal(stream.waitingBytes, 0);
  });
});
