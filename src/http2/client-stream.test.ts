import assert from 'node:assert/strict';
import { testClock } from '../base/testing/test-env.js';
import { ClientStream, type ClientStreamOwner, type Fields } from './client-stream.js';
import { Http2Code } from './error-code.js';
import { HpackEncoder } from './hpack/encoder.js';
import { HeaderList } from './hpack/header-list.js';
import { Http2Pool } from './pool.js';
import { continuation, data, F, frame, goaway, headers, parseFrames, ping, PREFACE, rstStream, settings, settingsAck, T, u32, windowUpdate, type Frame } from './testing/frames.js';
import { MemoryTransport } from './testing/memory-transport.js';

const HEAD = HeaderList.of([':method', 'POST'], [':path', '/x']);
const PREFIX = Uint8Array.of(0, 0, 0, 0, 9);
const WINDOW = 65_535;

/** The server, by hand. */
class Server implements ClientStreamOwner {
  readonly transport = new MemoryTransport();
  readonly pool = new Http2Pool(testClock);
  readonly told: string[] = [];
  readonly client: ClientStream;
  readonly #encoder = new HpackEncoder();

  constructor() {
    this.client = new ClientStream(
      { transport: this.transport, pool: this.pool, limits: { keepaliveMs: 100, keepaliveTimeoutMs: 50 }, owner: this, now: 0 }, HEAD,
    );
  }

  answered(fields: Fields): void {
    this.told.push(`answered ${fields.get('x') ?? ''}`);
  }
  room(): void {
    this.told.push('room');
  }
  ended(fields: Fields | undefined): void {
    this.told.push(fields === undefined ? 'lost' : `ended ${fields.get('grpc-status') ?? ''}`);
  }

  /** What a server says first. */
  greet(): this {
    this.send(settings(), settingsAck());
    this.frames();
    return this;
  }

  send(...parts: readonly Uint8Array[]): void {
    this.client.receive(Buffer.concat(parts));
  }

  block(...pairs: readonly (readonly [string, string])[]): Uint8Array {
    return this.#encoder.encode(HeaderList.of(...pairs));
  }

  /** Those since the last look. */
  frames(): Frame[] {
    const bytes = this.transport.take();
    const { frames, rest } = parseFrames(bytes.subarray(0, PREFACE.length).equals(PREFACE) ? bytes.subarray(PREFACE.length) : bytes);
    assert.equal(rest.length, 0, 'frames are written whole');
    return frames;
  }

  body(): Buffer {
    return Buffer.concat(this.frames().filter(({ type, id }) => type === T.DATA && id === 1).map(({ payload }) => payload));
  }

  get goaway(): number | undefined {
    return this.frames().find(({ type }) => type === T.GOAWAY)?.payload.readUInt32BE(4);
  }
}

describe('the client of one stream', () => {
  it('says preface, settings and the head at once, and small messages in one frame and one write', () => {
    const server = new Server();
    assert.ok(server.transport.writes[0]?.subarray(0, PREFACE.length).equals(PREFACE));
    assert.deepEqual(server.frames().map(({ type, flags, id }) => [type, flags, id]), [[T.SETTINGS, 0, 0], [T.HEADERS, F.END_HEADERS, 1]]);
    server.greet();
    const writes = server.transport.writes.length;
    for (const text of ['a', 'b']) server.client.write(PREFIX, Buffer.from(text));
    assert.equal(server.transport.writes.length, writes);
    server.client.flush();
    assert.equal(server.transport.writes.length, writes + 1);
    assert.deepEqual(server.frames().map(({ payload }) => payload), ['a', 'b'].map((text) => Buffer.concat([PREFIX, Buffer.from(text)])));
  });

  it('answers settings and pings, and tells of the answer and its end', () => {
    const server = new Server();
    server.frames();
    server.send(settings([4, 100]), settingsAck(), ping(7));
    assert.deepEqual(server.frames().map(({ type, flags }) => [type, flags]), [[T.SETTINGS, F.ACK], [T.PING, F.ACK]]);
    const block = server.block([':status', '200'], ['x', 'y']);
    server.send(headers(1, block.subarray(0, 1), { endHeaders: false }), continuation(1, block.subarray(1), true));
    server.send(data(1, 'ignored'), headers(1, server.block(['grpc-status', '9']), { end: true, pad: 3 }));
    assert.deepEqual(server.told, ['answered y', 'ended 9']);
    assert.ok(server.transport.destroyed);
  });

  it('keeps to both windows, whatever the chunks, and says when there is room', () => {
    const server = new Server().greet();
    const message = Buffer.alloc(3 * WINDOW, 'abcdefgh');
    // A transport may spoil what it has taken.
    server.client.write(PREFIX, Buffer.from(message));
    server.client.flush();
    let got = server.body();
    assert.equal(got.length, WINDOW);
    assert.equal(server.client.waitingBytes, PREFIX.length + message.length - WINDOW);
    server.send(windowUpdate(0, 3 * WINDOW));
    assert.deepEqual([server.body().length, server.told], [0, []]);
    for (const bytes of [1, 40_000, WINDOW]) {
      for (const byte of windowUpdate(1, bytes)) server.send(Uint8Array.of(byte));
      got = Buffer.concat([got, server.body()]);
    }
    assert.deepEqual(server.told, ['room', 'room', 'room']);
    server.send(settings([4, 2 * WINDOW]));
    got = Buffer.concat([got, server.body()]);
    assert.ok(got.equals(Buffer.concat([PREFIX, message])));
    assert.equal(server.client.waitingBytes, 0);
  });

  it('gives a full transport nothing until it has drained', () => {
    const server = new Server().greet();
    server.send(windowUpdate(0, 1e9), windowUpdate(1, 1e9));
    server.transport.answer = () => 'full';
    const message = Buffer.alloc(3e6, 'xyz');
    server.client.write(PREFIX, message);
    server.client.flush();
    let got = server.body();
    assert.ok(got.length >= 256 * 1024 && got.length < 300_000);
    server.client.write(PREFIX, Buffer.from('after'));
    server.client.flush();
    assert.equal(server.body().length, 0);
    server.transport.letGo();
    server.transport.answer = () => 'kept';
    server.client.drained();
    got = Buffer.concat([got, server.body()]);
    assert.ok(got.equals(Buffer.concat([PREFIX, message, PREFIX, Buffer.from('after')])));
    assert.deepEqual(server.told, ['room']);
  });

  it('pings a silent peer, and gives it up when it stays silent', () => {
    const server = new Server().greet();
    server.client.tick(10);
    server.client.tick(90);
    assert.deepEqual(server.frames(), []);
    server.client.tick(110);
    assert.deepEqual(server.frames().map(({ type, flags }) => [type, flags]), [[T.PING, 0]]);
    server.send(ping(1, true));
    server.client.tick(160);
    server.client.tick(260);
    server.client.tick(310);
    assert.deepEqual([server.told, server.transport.destroyed], [['lost'], true]);
  });

  const lost: readonly (readonly [string, (server: Server) => Uint8Array, number?])[] = [
    ['a reset', () => rstStream(1, Http2Code.CANCEL)],
    ['a GOAWAY that has not seen the stream', () => goaway(0, Http2Code.NO_ERROR)],
    ['a GOAWAY with an error', () => goaway(1, Http2Code.ENHANCE_YOUR_CALM)],
    ['the end of the answer without trailers', () => data(1, '', { end: true })],
    ['a frame that is too large', () => frame(T.DATA, 0, 1, Buffer.alloc(0), 1 << 20), Http2Code.FRAME_SIZE_ERROR],
    ['a push', () => frame(T.PUSH_PROMISE, 0, 1), Http2Code.PROTOCOL_ERROR],
    ['headers of another stream', (s) => headers(3, s.block([':status', '200'])), Http2Code.PROTOCOL_ERROR],
    ['padding beyond the frame', () => frame(T.HEADERS, F.END_HEADERS | F.PADDED, 1, Buffer.from([9, 1])), Http2Code.PROTOCOL_ERROR],
    ['a CONTINUATION of nothing', () => continuation(1, Buffer.alloc(1), true), Http2Code.PROTOCOL_ERROR],
    ['a header block that ends in another frame', () => Buffer.concat([headers(1, Buffer.alloc(0), { endHeaders: false }), ping()]), Http2Code.PROTOCOL_ERROR],
    ['fields without end', () => Buffer.concat([headers(1, Buffer.alloc(0), { endHeaders: false }), ...Array.from({ length: 40 }, () => continuation(1, Buffer.alloc(0), false))]), Http2Code.ENHANCE_YOUR_CALM],
    ['a block that is none', () => headers(1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), Http2Code.COMPRESSION_ERROR],
    ['a window beyond its bound', () => Buffer.concat([windowUpdate(1, 0x7fff_ffff), windowUpdate(1, 0x7fff_ffff)]), Http2Code.FLOW_CONTROL_ERROR],
    ['an increment of nothing', () => windowUpdate(0, 0), Http2Code.PROTOCOL_ERROR],
    ['an initial window beyond its bound', () => settings([4, 0x8000_0000]), Http2Code.FLOW_CONTROL_ERROR],
    ['settings cut short', () => frame(T.SETTINGS, 0, 0, Buffer.alloc(5)), Http2Code.FRAME_SIZE_ERROR],
    ['a ping cut short', () => frame(T.PING, 0, 0, u32(1)), Http2Code.FRAME_SIZE_ERROR],
  ];
  for (const [what, bytes, code] of lost) {
    it(`${what} ends it, once, and gives back what was lent`, () => {
      const server = new Server().greet();
      server.client.write(PREFIX, Buffer.alloc(2 * WINDOW));
      server.client.flush();
      server.frames();
      server.send(bytes(server));
      assert.deepEqual([server.told, server.goaway], [['lost'], code]);
      assert.ok(server.transport.destroyed);
      server.client.write(PREFIX, Buffer.alloc(1));
      server.client.flush();
      server.send(ping());
      server.client.closed();
      server.client.tick(1e6);
      assert.deepEqual([server.told, server.frames()], [['lost'], []]);
      assert.deepEqual([server.pool.blocks.lent, server.pool.frames.lent, server.client.waitingBytes], [0, 0, 0]);
    });
  }

  it('takes nothing before the settings', () => {
    const server = new Server();
    server.frames();
    server.send(ping());
    assert.deepEqual([server.goaway, server.told], [Http2Code.PROTOCOL_ERROR, ['lost']]);
  });

  it('a stream that is no longer wanted is reset, and nobody is told', () => {
    const server = new Server().greet();
    server.client.cancel();
    server.client.closed();
    assert.deepEqual([server.frames().map(({ type }) => type), server.told], [[T.RST_STREAM], []]);
    assert.equal(server.pool.blocks.lent, 0);
  });
});
