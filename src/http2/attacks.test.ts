import assert from 'node:assert/strict';
import { Http2Code } from './error-code.js';
import { F, T, continuation, data, frame, goaway, headers, ping, priority, rstStream, settings, windowUpdate } from './testing/frames.js';
import { OK, PREFIX, answer, echo, withPrefix } from './testing/responses.js';
import { TestPeer } from './testing/test-peer.js';

const HEADER_TABLE_SIZE = 1;
const INITIAL_WINDOW_SIZE = 4;
const EMPTY = new Uint8Array(0);

/** Sends until the connection ends; how often that was. */
function flood(peer: TestPeer, limit: number, next: (i: number) => Uint8Array): number {
  for (let i = 0; i < limit; i++) {
    if (peer.transport.ended) return i;
    peer.send(next(i));
    // As TCP would: what was answered is out before more comes.
    if (i % 100 === 99) peer.turn();
  }
  return limit;
}

describe('floods end the connection with ENHANCE_YOUR_CALM', () => {
  /** Frames of a budget, and a few that were earned. */
  const FRAMES = 4_200;

  for (const [what, bound, next] of [
    ['PING', FRAMES, () => ping()],
    ['answers to no PING', FRAMES, () => ping(1, true)],
    ['SETTINGS', FRAMES / 16, () => settings()],
    ['SETTINGS full of settings', FRAMES / 300, () => settings(...Array.from({ length: 2_500 }, (_, i) => [INITIAL_WINDOW_SIZE, i] as const))],
    ['acknowledgements of no SETTINGS', FRAMES, () => frame(T.SETTINGS, F.ACK, 0)],
    ['PRIORITY', FRAMES, (i: number) => priority(2 * i + 1, 0)],
    ['unknown frames', FRAMES, () => frame(0x77, 0, 0)],
    ['GOAWAY', FRAMES, () => goaway(0, 0)],
    ['empty DATA', FRAMES, () => data(1, EMPTY)],
    ['DATA of nothing but padding', FRAMES, () => data(1, EMPTY, { pad: 100 })],
    ['WINDOW_UPDATE of the connection', FRAMES, () => windowUpdate(0, 1)],
    ['WINDOW_UPDATE of a stream', FRAMES, () => windowUpdate(1, 1)],
    ['RST_STREAM of a closed stream', FRAMES, () => rstStream(3, 0)],
  ] as const) {
    it(what, () => {
      const peer = TestPeer.ready();
      peer.send(peer.open(1), peer.open(3), rstStream(3, Http2Code.CANCEL));
      const sent = flood(peer, 2 * FRAMES, next);
      assert.ok(sent <= bound, `${sent} of ${bound}`);
      assert.equal(peer.goaway, Http2Code.ENHANCE_YOUR_CALM);
      assert.equal(peer.handler.call(1).over, false);
      peer.close();
    });
  }

  /** Streams that end without a response; of those beyond the limit so many more are open. */
  const RESETS = 1_100;

  for (const [what, next] of [
    ['rapid reset', (peer: TestPeer, id: number) => Buffer.concat([peer.open(id, { path: '/' }), rstStream(id, Http2Code.CANCEL)])],
    ['rapid reset of whole requests', (peer, id) => Buffer.concat([peer.open(id, { path: '/', end: true }), rstStream(id, Http2Code.CANCEL)])],
    ['resets that are provoked by a window', (peer, id) => Buffer.concat([peer.open(id, { path: '/', end: true }), windowUpdate(id, 0)])],
    ['resets that are provoked by data', (peer, id) => Buffer.concat([peer.open(id, { path: '/', end: true }), data(id, 'x')])],
    ['malformed requests', (peer, id) => headers(id, peer.block([['X', 'y']]), { end: true })],
    ['header lists that are too large', (peer, id) => peer.open(id, { path: '/', more: [['x', 'y'.repeat(3_000)]], end: true })],
    ['streams beyond the limit', (peer, id) => Buffer.concat([peer.open(id, { path: '/' })])],
  ] as readonly (readonly [string, (peer: TestPeer, id: number) => Uint8Array])[]) {
    it(what, () => {
      const peer = TestPeer.ready({ maxConcurrentStreams: 100, maxHeaderListBytes: 3_000 });
      const sent = flood(peer, 2 * RESETS, (i) => next(peer, 2 * i + 1));
      assert.ok(sent >= 1_000 && sent <= RESETS + 101, `${sent}`);
      assert.equal(peer.goaway, Http2Code.ENHANCE_YOUR_CALM);
      peer.close();
    });
  }

  it('a header block in crumbs, or one that never ends', () => {
    for (const [part, bound] of [[0, 33], [1, 33], [100, 60], [16_384, 10]] as const) {
      const peer = TestPeer.ready();
      peer.send(headers(1, EMPTY, { endHeaders: false }));
      const sent = flood(peer, 1_000, () => continuation(1, Buffer.alloc(part, 0x82), false));
      assert.ok(sent <= bound, `${sent} of ${part} bytes`);
      assert.equal(peer.goaway, Http2Code.ENHANCE_YOUR_CALM);
      peer.close();
    }
  });

  it('a header block that takes for ever, though the next may take its time again', () => {
    const peer = TestPeer.ready({ handshakeMs: 1_000, keepaliveMs: 0 });
    for (const id of [1, 3, 5]) {
      const block = peer.block(peer.request('/'));
      peer.send(headers(id, block.subarray(0, 1), { endHeaders: false, end: true }));
      peer.pass(900);
      peer.send(continuation(id, block.subarray(1), true));
    }
    assert.equal(peer.handler.calls.length, 3);
    peer.send(headers(7, EMPTY, { endHeaders: false }));
    for (let i = 0; i < 11; i++) {
      peer.send(continuation(7, Uint8Array.of(0x82), false));
      peer.pass(100);
    }
    assert.equal(peer.goaway, Http2Code.ENHANCE_YOUR_CALM);
    peer.close();
  });

  it('one-byte windows: a response in crumbs', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 0]);
    peer.handler.onEnd = answer(1_000_000);
    peer.send(peer.open(1, { end: true }));
    const sent = flood(peer, 10_000, () => windowUpdate(1, 1));
    assert.ok(sent < 4_200, `${sent}`);
    assert.equal(peer.goaway, Http2Code.ENHANCE_YOUR_CALM);
    assert.equal(peer.handler.call(1).stream.unsentBytes, 0);
    peer.close();
  });
});

describe('who lets itself be served is not flooding', () => {
  it('a ping and a window with every request, as grpc-go sends them', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = echo;
    for (let i = 0; i < 20_000; i++) peer.send(peer.whole(2 * i + 1, 'x'), ping(), windowUpdate(0, 6));
    assert.equal(peer.goaway, undefined);
    peer.close();
  });

  it('a large response read in small windows, with a window for the connection and a ping for each', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 2_000]);
    peer.handler.onEnd = answer(20_000_000);
    peer.send(peer.open(1, { end: true }));
    while (!peer.response(1).ended && peer.goaway === undefined) peer.send(windowUpdate(1, 2_000), windowUpdate(0, 2_000), ping());
    assert.equal(peer.response(1).body.length, 20_000_005);
    peer.close();
  });

  it('a stream of small messages, each with a ping', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1));
    const { stream } = peer.handler.call(1);
    stream.headers(OK);
    for (let i = 0; i < 20_000; i++) {
      assert.ok(stream.data(PREFIX, Buffer.from('event')));
      peer.turn();
      peer.send(ping(), windowUpdate(1, 10), windowUpdate(0, 10));
    }
    assert.equal(peer.goaway, undefined);
    peer.close();
  });

  it('a request given up for each that is answered', () => {
    const peer = TestPeer.ready({ maxConcurrentStreams: 10 });
    peer.handler.onEnd = echo;
    for (let id = 1; id < 20_000; id += 4) peer.send(peer.whole(id, 'x'), peer.open(id + 2), rstStream(id + 2, Http2Code.CANCEL));
    assert.equal(peer.goaway, undefined);
    peer.close();
  });

  it('few frames at a time, for ever', () => {
    const peer = TestPeer.ready({ keepaliveMs: 0 });
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 200; i++) peer.send(ping(), priority(1, 0));
      for (let i = 0; i < 200; i++) {
        const id = 2 * (second * 200 + i) + 1;
        peer.send(peer.open(id), rstStream(id, Http2Code.CANCEL));
      }
      peer.pass(1_000);
    }
    assert.equal(peer.goaway, undefined);
    peer.close();
  });

  it('all of its requests given up at once', () => {
    const peer = TestPeer.ready({ maxConcurrentStreams: 5_000 });
    for (let i = 0; i < 5_000; i++) peer.send(peer.open(2 * i + 1));
    for (let i = 0; i < 5_000; i++) peer.send(rstStream(2 * i + 1, Http2Code.CANCEL));
    assert.equal(peer.goaway, undefined);
    peer.close();
  });
});

describe('what a client can make grow is bounded', () => {
  it('handlers: a rapid reset never has more than twice the allowed streams at work', () => {
    const peer = TestPeer.ready({ maxConcurrentStreams: 50 });
    peer.handler.releases = false;
    const atWork = (): number => peer.handler.calls.filter(({ released }) => !released).length;
    flood(peer, 5_000, (i) => Buffer.concat([peer.open(2 * i + 1), rstStream(2 * i + 1, Http2Code.CANCEL)]));
    assert.equal(atWork(), 50);
    peer.close();
  });

  it('a header list of a small block that means many megabytes: 431, and the connection lives', () => {
    const peer = TestPeer.ready();
    const bomb = ['x-bomb', 'b'.repeat(3_900)] as const;
    peer.send(peer.open(1, { more: [bomb], end: true }));
    const block = Buffer.concat([peer.block(peer.request('/')), Buffer.alloc(16_000, peer.block([bomb]))]);
    assert.ok(block.length < 16_384);
    peer.send(headers(3, block, { end: true }));
    assert.deepEqual(peer.response(3).headers, [[':status', '431']]);
    peer.handler.onEnd = echo;
    peer.send(peer.whole(5, 'x'));
    assert.deepEqual(peer.response(5).body, withPrefix('x'));
    peer.close();
  });

  it('a table size that goes up and down changes nothing but bytes', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = echo;
    let id = 1;
    for (const size of [0, 4_096, 0xffff_ffff, 0, 1, 40, 100, 4_096, 0xffff_ffff]) {
      peer.send(settings([HEADER_TABLE_SIZE, 0], [HEADER_TABLE_SIZE, size]), peer.whole(id, 'a'), peer.whole(id + 2, 'b'));
      for (const which of [id, id + 2]) assert.deepEqual(peer.response(which).trailers, [['x-status', '0']]);
      id += 4;
    }
    peer.close();
  });

  it('a body in one-byte frames is given on as it comes, and nothing is kept', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1));
    for (let i = 0; i < 10_000; i++) peer.send(data(1, Uint8Array.of(i)));
    assert.equal(peer.handler.call(1).body.length, 10_000);
    assert.deepEqual(peer.connection.usage.requestBytes, 0);
    peer.close();
  });

  it('frames that do not end hold one buffer, answers without a window only what they are made of', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 0]);
    peer.handler.onEnd = answer(100);
    for (let i = 0; i < 1_000; i++) peer.send(peer.open(2 * i + 1, { end: true }));
    peer.turn();
    assert.equal(peer.connection.openStreams, 1_000);
    for (const byte of data(1, Buffer.alloc(10_000)).subarray(0, 9_000)) peer.send(Uint8Array.of(byte));
    assert.deepEqual([peer.pool.frames.lent, peer.pool.blocks.lent, peer.connection.usage.heldBytes], [1, 0, 0]);
    peer.close();
  });
});
