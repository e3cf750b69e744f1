import assert from 'node:assert/strict';
import { Http2Code } from './error-code.js';
import { F, PREFACE, T, data, ping, rstStream, settings, settingsAck, windowUpdate } from './testing/frames.js';
import { DONE, OK, PREFIX, answer, echo, withPrefix } from './testing/responses.js';
import { TestPeer } from './testing/test-peer.js';

const EMPTY = new Uint8Array(0);
const DRAIN_PING = 2;
const MAX = 0x7fff_ffff;

describe('the beginning of a connection', () => {
  it('tells the limits, and with the first answers it is one write', () => {
    const limits = { maxConcurrentStreams: 7, streamWindowBytes: 1_234, maxHeaderListBytes: 999, connectionWindowBytes: 70_000 };
    const peer = new TestPeer(limits);
    peer.handler.onEnd = echo;
    peer.send(PREFACE, settings(), settingsAck(), windowUpdate(0, 1_000), peer.open(1), data(1, 'x', { end: true }));
    assert.equal(peer.transport.writes.length, 1);
    const [first, second, third] = peer.read();
    assert.deepEqual(first?.payload, Buffer.from('000300000007' + '0004000004d2' + '0006000003e7', 'hex'));
    assert.deepEqual([second?.type, second?.id, second?.payload.readUInt32BE(0)], [T.WINDOW_UPDATE, 0, 70_000 - 65_535]);
    assert.deepEqual([third?.type, third?.flags], [T.SETTINGS, F.ACK]);
    assert.equal(peer.response(1).reset, undefined);
    peer.close();
  });

  it('tells them by the end of the turn to a peer that says nothing', () => {
    const peer = new TestPeer();
    assert.deepEqual(peer.turn().map(({ type }) => type), [T.SETTINGS, T.WINDOW_UPDATE]);
    peer.close();
  });

  for (const [what, bytes] of [
    ['another preface', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r')], ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\n')], ['noise', Buffer.alloc(3)],
  ] as const) {
    it(`${what} is no HTTP/2`, () => {
      const peer = new TestPeer();
      peer.send(bytes);
      assert.equal(peer.goaway, Http2Code.PROTOCOL_ERROR);
      assert.ok(peer.transport.ended);
      peer.close();
    });
  }

  it('a handshake that never ends is ended, however slowly it goes on', () => {
    const peer = new TestPeer({ handshakeMs: 1_000 });
    for (const byte of PREFACE.subarray(0, 19)) {
      peer.send(Uint8Array.of(byte));
      peer.pass(50);
    }
    assert.equal(peer.goaway, undefined);
    peer.send(PREFACE.subarray(19, 20));
    peer.pass(50);
    assert.equal(peer.goaway, Http2Code.SETTINGS_TIMEOUT);
    peer.close();
  });

  it('SETTINGS that are not acknowledged in time end the connection', () => {
    const peer = new TestPeer({ handshakeMs: 1_000 });
    peer.send(PREFACE, settings());
    peer.send(peer.open(1));
    peer.pass(1_000);
    assert.equal(peer.goaway, Http2Code.SETTINGS_TIMEOUT);
    assert.equal(peer.handler.call(1).over, false);
    peer.close();
    const good = TestPeer.ready({ handshakeMs: 1_000 });
    good.pass(10_000);
    assert.equal(good.goaway, undefined);
    good.close();
  });
});

describe('a transport that is full', () => {
  function full(): TestPeer {
    const peer = TestPeer.ready({}, [4, MAX]);
    peer.send(windowUpdate(0, MAX - 65_535));
    peer.transport.answer = () => 'full';
    peer.handler.onEnd = echo;
    return peer;
  }

  it('is written to no more, and nothing is read, until it has drained', () => {
    const peer = full();
    peer.send(peer.whole(1, 'one'));
    assert.ok(peer.transport.paused);
    const writes = peer.transport.writes.length;
    peer.send(peer.whole(3, 'on its way already'));
    peer.turn();
    assert.equal(peer.handler.calls.length, 1);
    assert.equal(peer.transport.writes.length, writes);
    assert.ok(peer.connection.usage.heldBytes > 0);
    peer.transport.answer = () => 'taken';
    peer.drained();
    assert.deepEqual(peer.response(3).body, withPrefix('on its way already'));
    assert.ok(!peer.transport.paused);
    assert.equal(peer.connection.usage.heldBytes, 0);
    peer.close();
  });

  it('if what waits fills it again, nothing is read yet', () => {
    const peer = full();
    peer.handler.onEnd = answer(1_000_000);
    peer.send(peer.open(1, { end: true }));
    peer.send(peer.open(3, { end: true }));
    for (let i = 0; i < 3; i++) {
      peer.drained();
      assert.ok(peer.transport.full);
      assert.equal(peer.handler.calls.length, 1);
    }
    peer.close();
  });

  it('does not let the peer be late with what could not be read', () => {
    const peer = new TestPeer({ handshakeMs: 1_000 });
    peer.transport.answer = () => 'full';
    peer.send(PREFACE, settings());
    peer.pass(100);
    assert.ok(peer.transport.full);
    peer.send(settingsAck());
    peer.pass(5_000);
    assert.equal(peer.goaway, undefined);
    peer.drained();
    peer.pass(5_000);
    assert.equal(peer.goaway, undefined);
    peer.close();
  });

  it('keeps what is answered meanwhile waiting in its stream, by reference', () => {
    const peer = full();
    peer.handler.onEnd = () => undefined;
    peer.send(...[1, 3, 5, 7, 9].map((id) => peer.open(id, { end: true })), ping());
    peer.turn();
    assert.ok(peer.transport.full);
    const writes = peer.transport.writes.length;
    peer.handler.call(9).stream.reset(Http2Code.CANCEL);
    const [one, three, five, seven] = peer.handler.calls;
    assert.ok(one && three && five && seven);
    one.stream.respond(OK, PREFIX, Buffer.alloc(100), DONE);
    three.stream.headers(OK);
    while (three.stream.data(EMPTY, new Uint8Array(10_000)));
    three.stream.trailers(DONE);
    five.stream.respondOnly(OK);
    seven.stream.headers(OK);
    seven.stream.trailers(DONE);
    assert.ok(three.stream.unsentBytes >= 64 * 1024);
    peer.turn();
    assert.equal(peer.transport.writes.length, writes);
    assert.equal(peer.connection.usage.outputBytes, 13, 'the reset');
    peer.transport.answer = () => 'kept';
    peer.drained();
    peer.turn();
    for (const id of [1, 3, 5, 7]) assert.ok(peer.response(id).ended);
    assert.equal(peer.response(9).reset, Http2Code.CANCEL);
    peer.close();
  });

  it('stops in the middle of a chunk: one with hundreds of large answers fills it once', () => {
    const peer = full();
    peer.handler.onEnd = answer(500_000);
    peer.send(...Array.from({ length: 300 }, (_, i) => peer.open(2 * i + 1, { end: true })));
    assert.ok(peer.handler.calls.length < 3, 'the others are not read yet');
    assert.ok(peer.transport.writes.at(-1)!.length < 300_000, 'what does not go is not put into a write');
    let rounds = 0;
    while (peer.transport.full) {
      peer.transport.writes.length = 0;
      peer.transport.letGo();
      peer.connection.drained();
      assert.equal(peer.transport.paused, peer.transport.full);
      if (++rounds === 100) peer.transport.answer = () => 'taken';
    }
    assert.equal(peer.handler.calls.length, 300);
    assert.ok(peer.handler.calls.every(({ over }) => over === true));
    assert.ok(!peer.transport.paused);
    peer.connection.closed();
  });

  it('what it has kept is never overwritten, and what it has taken is used again', () => {
    const peer = full();
    for (const answers of ['kept', 'full', 'taken'] as const) {
      peer.transport.answer = () => answers;
      for (let i = 0; i < 200; i++) {
        const id = peer.connection.openStreams + 2 * peer.handler.calls.length + 1;
        peer.send(peer.whole(id, Buffer.alloc(3_000, i)));
        if (peer.transport.full) {
          peer.transport.checkKept();
          peer.transport.full = false;
          peer.connection.drained();
        }
        peer.turn();
        assert.deepEqual(peer.response(id).body, withPrefix(Buffer.alloc(3_000, i)));
      }
    }
    peer.close();
  });

  it('that closes gives back all', () => {
    const peer = full();
    peer.handler.onEnd = answer(100_000);
    peer.send(peer.open(1, { end: true }), peer.open(3, { end: true }), peer.open(5), data(5, 'half').subarray(0, 11));
    assert.ok(peer.transport.full);
    peer.send(data(5, 'more'));
    peer.close();
    assert.ok(peer.handler.calls.some(({ over }) => over === false));
  });

  it('and an error: the GOAWAY is written, and what still comes is dropped', () => {
    const peer = full();
    peer.send(peer.open(1, { end: true }));
    assert.ok(peer.transport.full);
    peer.connection.fail(Http2Code.INTERNAL_ERROR);
    assert.equal(peer.goaway, Http2Code.INTERNAL_ERROR);
    assert.ok(peer.transport.ended && !peer.transport.paused);
    peer.send(ping());
    peer.connection.drained();
    peer.close();
  });
});

describe('the end of a connection', () => {
  it('drains in two steps: what comes before the client knows is served, what comes later is not', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1));
    peer.connection.drain();
    peer.connection.drain();
    assert.deepEqual(peer.turn().map(({ type, payload }) => [type, payload.readUInt32BE(0)]), [[T.GOAWAY, MAX], [T.PING, 0]]);
    peer.send(peer.open(3), ping(DRAIN_PING, true), peer.open(5));
    const [last] = peer.turn().filter(({ type }) => type === T.GOAWAY);
    assert.deepEqual([last?.payload.readUInt32BE(0), last?.payload.readUInt32BE(4)], [3, Http2Code.NO_ERROR]);
    assert.equal(peer.response(5).reset, Http2Code.REFUSED_STREAM);
    assert.equal(peer.handler.calls.length, 2);
    peer.handler.onEnd = echo;
    peer.send(data(1, 'x', { end: true }));
    assert.ok(!peer.transport.ended);
    peer.send(data(3, 'y', { end: true }));
    assert.ok(peer.transport.ended);
    assert.deepEqual([peer.response(1).ended, peer.response(3).ended], [true, true]);
    peer.close();
  });

  it('an error after a drain names no later stream than the drain did', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1), peer.open(3));
    peer.connection.drain();
    peer.send(ping(DRAIN_PING, true), peer.open(5), windowUpdate(0, 0));
    peer.turn();
    assert.deepEqual(peer.of(T.GOAWAY).map(({ payload }) => payload.readUInt32BE(0)), [MAX, 3, 3]);
    peer.close();
  });

  it('a drain of a connection without requests ends with the answer to the ping', () => {
    const peer = TestPeer.ready();
    peer.connection.drain();
    peer.turn();
    peer.send(ping(1, true), ping(3, true));
    assert.ok(!peer.transport.ended);
    peer.send(ping(DRAIN_PING, true));
    assert.ok(peer.transport.ended);
    peer.close();
  });

  it('a drain does not wait for ever for the answer to the ping', () => {
    const peer = TestPeer.ready({ handshakeMs: 1_000 });
    peer.connection.drain();
    peer.pass(950);
    assert.ok(!peer.transport.ended);
    peer.pass(100);
    assert.ok(peer.transport.ended);
    peer.close();
  });

  it('a drain ends with an answer that comes later, too', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1, { end: true }));
    peer.connection.drain();
    peer.turn();
    peer.send(ping(DRAIN_PING, true));
    peer.turn();
    echo(peer.handler.call(1));
    assert.ok(!peer.transport.ended, 'the end of the turn writes it');
    peer.turn();
    assert.ok(peer.transport.ended && peer.response(1).ended);
    peer.close();
  });

  it('a drain before the handshake closes at once', () => {
    const peer = new TestPeer();
    peer.connection.drain();
    assert.ok(peer.transport.ended);
    peer.close();
  });

  it('a peer that does not close after GOAWAY is closed', () => {
    const peer = TestPeer.ready({ handshakeMs: 1_000 });
    peer.send(windowUpdate(0, 0));
    peer.pass(950);
    assert.ok(peer.transport.ended && !peer.transport.destroyed);
    peer.pass(100);
    assert.ok(peer.transport.destroyed);
    peer.close();
  });

  it('a client that is gone takes all its streams with it, whatever they do', () => {
    const peer = TestPeer.ready({}, [4, 10]);
    peer.handler.releases = false;
    peer.send(peer.open(1), data(1, 'half'), peer.open(3, { end: true }), peer.open(5, { end: true }), peer.open(7, { end: true }));
    peer.handler.call(3).stream.respond(OK, PREFIX, Buffer.alloc(100), DONE);
    peer.handler.call(5).stream.headers(OK);
    peer.handler.call(7).release();
    peer.send(rstStream(1, Http2Code.CANCEL), peer.open(9), data(9, 'partial').subarray(0, 12));
    peer.connection.closed();
    assert.deepEqual(peer.handler.calls.map(({ over }) => over), [false, false, false, false, false]);
    peer.handler.call(5).stream.trailers(DONE);
    peer.close();
  });

  it('while the layer above is told of one stream, the others can send nothing any more', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1, { end: true }), peer.open(3, { end: true }));
    const over = peer.handler.over.bind(peer.handler);
    peer.handler.over = (stream, complete) => {
      for (const call of peer.handler.calls) echo(call);
      over(stream, complete);
    };
    peer.connection.fail(Http2Code.INTERNAL_ERROR);
    assert.deepEqual(peer.handler.calls.map((call) => call.over), [false, false]);
    peer.close();
  });
});

describe('keepalive', () => {
  const limits = { keepaliveMs: 1_000, keepaliveTimeoutMs: 500 };

  it('pings a silent peer once, and closes if it stays silent', () => {
    const peer = TestPeer.ready(limits);
    peer.send(peer.open(1));
    peer.pass(1_000);
    assert.equal(peer.of(T.PING).length, 0);
    peer.pass(50);
    assert.equal(peer.of(T.PING).length, 1);
    peer.pass(450);
    assert.ok(!peer.transport.destroyed);
    peer.pass(50);
    assert.ok(peer.transport.destroyed);
    assert.equal(peer.of(T.PING).length, 1);
    assert.equal(peer.handler.call(1).over, false, 'at once: a dead peer may take long to close');
    peer.close();
  });

  it('lets a peer live that says anything', () => {
    const peer = TestPeer.ready(limits);
    for (let i = 0; i < 5; i++) {
      peer.pass(1_300);
      peer.send(Buffer.alloc(1));
    }
    assert.ok(!peer.transport.destroyed && peer.of(T.PING).length === 5);
    peer.close();
  });

  it('lets a slow reader live as long as it reads, and no longer', () => {
    const peer = TestPeer.ready(limits, [4, MAX]);
    peer.send(windowUpdate(0, MAX - 65_535));
    peer.transport.answer = () => 'full';
    peer.handler.onEnd = answer(10_000_000);
    peer.send(peer.open(1, { end: true }));
    for (let i = 0; i < 5; i++) {
      peer.pass(1_300);
      peer.drained();
    }
    assert.ok(!peer.transport.destroyed);
    peer.pass(1_600);
    assert.ok(peer.transport.destroyed);
    peer.close();
  });

  it('0 is never', () => {
    const peer = TestPeer.ready({ keepaliveMs: 0 });
    peer.pass(100_000);
    assert.deepEqual([peer.of(T.PING).length, peer.transport.destroyed], [0, false]);
    peer.close();
  });
});
