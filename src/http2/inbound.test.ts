import assert from 'node:assert/strict';
import { Http2Code } from './error-code.js';
import { F, T, data, frame, goaway, headers, ping, priority, rstStream, settings, settingsAck, u32, windowUpdate } from './testing/frames.js';
import { answer, echo, withPrefix } from './testing/responses.js';
import { TestPeer } from './testing/test-peer.js';

const ENABLE_PUSH = 2;
const INITIAL_WINDOW_SIZE = 4;
const MAX_FRAME_SIZE = 5;
const MAX = 0x7fff_ffff;

function assertServes(peer: TestPeer): void {
  assert.equal(peer.goaway, undefined);
  peer.handler.onEnd = echo;
  peer.send(peer.whole(99_999, 'still here'));
  assert.deepEqual(peer.response(99_999).body, withPrefix('still here'));
  peer.close();
}

describe('frames of the connection', () => {
  for (const [what, bytes, code] of [
    ['SETTINGS of a stream', frame(T.SETTINGS, 0, 1), Http2Code.PROTOCOL_ERROR],
    ['SETTINGS of a wrong length', frame(T.SETTINGS, 0, 0, Buffer.alloc(5)), Http2Code.FRAME_SIZE_ERROR],
    ['an acknowledgement with settings', frame(T.SETTINGS, F.ACK, 0, Buffer.alloc(6)), Http2Code.FRAME_SIZE_ERROR],
    ['ENABLE_PUSH of 2', settings([ENABLE_PUSH, 2]), Http2Code.PROTOCOL_ERROR],
    ['an initial window of 2^31', settings([INITIAL_WINDOW_SIZE, 2 ** 31]), Http2Code.FLOW_CONTROL_ERROR],
    ['a frame size that is too small', settings([MAX_FRAME_SIZE, 16_383]), Http2Code.PROTOCOL_ERROR],
    ['a frame size that is too large', settings([MAX_FRAME_SIZE, 2 ** 24]), Http2Code.PROTOCOL_ERROR],
    ['PING of a stream', frame(T.PING, 0, 1, Buffer.alloc(8)), Http2Code.PROTOCOL_ERROR],
    ['PING of a wrong length', frame(T.PING, 0, 0, Buffer.alloc(7)), Http2Code.FRAME_SIZE_ERROR],
    ['GOAWAY of a stream', frame(T.GOAWAY, 0, 1, Buffer.alloc(8)), Http2Code.PROTOCOL_ERROR],
    ['GOAWAY that is too short', frame(T.GOAWAY, 0, 0, Buffer.alloc(7)), Http2Code.FRAME_SIZE_ERROR],
    ['WINDOW_UPDATE of a wrong length', frame(T.WINDOW_UPDATE, 0, 0, Buffer.alloc(5)), Http2Code.FRAME_SIZE_ERROR],
    ['WINDOW_UPDATE by nothing', windowUpdate(0, 0), Http2Code.PROTOCOL_ERROR],
    ['WINDOW_UPDATE beyond 2^31-1', windowUpdate(0, MAX - 65_534), Http2Code.FLOW_CONTROL_ERROR],
    ['PUSH_PROMISE', frame(T.PUSH_PROMISE, F.END_HEADERS, 1, u32(2)), Http2Code.PROTOCOL_ERROR],
    ['RST_STREAM of a wrong length', Buffer.concat([headers(1, Buffer.from([0x83, 0x86, 0x84])), frame(T.RST_STREAM, 0, 1)]), Http2Code.FRAME_SIZE_ERROR],
    ['RST_STREAM of no stream', rstStream(0, 0), Http2Code.PROTOCOL_ERROR],
    ['PRIORITY of no stream', priority(0, 1), Http2Code.PROTOCOL_ERROR],
    ['PRIORITY of a wrong length', frame(T.PRIORITY, 0, 1, Buffer.alloc(4)), Http2Code.FRAME_SIZE_ERROR],
    ['a frame larger than allowed', frame(T.DATA, 0, 1, Buffer.alloc(0), 16_385), Http2Code.FRAME_SIZE_ERROR],
    ['an unknown frame larger than allowed', frame(0xbe, 0, 1, Buffer.alloc(0), 2 ** 24 - 1), Http2Code.FRAME_SIZE_ERROR],
  ] as const) {
    it(`${what} ends the connection`, () => {
      const peer = TestPeer.ready();
      peer.send(bytes);
      assert.equal(peer.goaway, code);
      assert.ok(peer.transport.ended);
      peer.send(peer.whole(3, 'not read any more'));
      assert.equal(peer.handler.calls.filter(({ id }) => id === 3).length, 0);
      peer.close();
    });
  }

  it('GOAWAY names the last stream that was looked at', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(5), peer.open(9), windowUpdate(0, 0));
    assert.equal(peer.of(T.GOAWAY)[0]?.payload.readUInt32BE(0), 9);
    assert.ok(peer.handler.calls.every(({ over }) => over === false));
    peer.close();
  });

  it('SETTINGS are acknowledged, each once, unknown ones too', () => {
    const peer = TestPeer.ready();
    peer.send(settings(), settings([0x99, 1], [3, 7], [6, 100]), settings([ENABLE_PUSH, 0], [MAX_FRAME_SIZE, 20_000]));
    const came = peer.turn();
    assert.deepEqual(came.map(({ type, flags, payload }) => [type, flags, payload.length]), Array(3).fill([T.SETTINGS, F.ACK, 0]));
    assertServes(peer);
  });

  it('PING is answered with its own bytes, by the end of the turn', () => {
    const peer = TestPeer.ready();
    const payload = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]);
    peer.send(frame(T.PING, 0, 0, payload));
    assert.deepEqual(peer.turn(), [{ type: T.PING, flags: F.ACK, id: 0, payload }]);
    peer.send(ping(7, true));
    assert.deepEqual(peer.turn(), [], 'an answer to nothing means nothing');
    assertServes(peer);
  });

  it('unknown frames, priorities, a GOAWAY of the client and the reserved bit mean nothing', () => {
    const peer = TestPeer.ready();
    peer.send(frame(0xbe, 0xff, 0, Buffer.alloc(100)), frame(0x10, 0, 0, Buffer.from('u=1')), frame(0xa, 0, 77));
    peer.send(priority(1, 0), priority(7, 5), priority(2, 0), peer.open(1), priority(1, 7));
    peer.send(goaway(0, Http2Code.NO_ERROR), windowUpdate(0, 0x8000_0001 >>> 0), frame(T.WINDOW_UPDATE, 0, 0x8000_0001, u32(5)));
    assert.deepEqual(peer.turn(), []);
    peer.send(data(1, 'x', { end: true }));
    assert.ok(peer.handler.call(1).ended);
    assertServes(peer);
  });

  it('a stream that depends on itself is reset (RFC 7540, 5.3.1)', () => {
    const peer = TestPeer.ready();
    peer.send(headers(1, peer.block(peer.request('/')), { dependsOn: 1, end: true }), peer.open(3), priority(3, 3));
    assert.deepEqual([peer.response(1).reset, peer.response(3).reset], [Http2Code.PROTOCOL_ERROR, Http2Code.PROTOCOL_ERROR]);
    assert.equal(peer.handler.calls.length, 1);
    assertServes(peer);
  });

  it('a wrong WINDOW_UPDATE of a stream resets it', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1), peer.open(3), windowUpdate(1, 0), windowUpdate(3, MAX - 65_535), windowUpdate(3, 1));
    assert.deepEqual([peer.response(1).reset, peer.response(3).reset], [Http2Code.PROTOCOL_ERROR, Http2Code.FLOW_CONTROL_ERROR]);
    assertServes(peer);
  });

  it('an initial window that makes the window of a stream too large ends the connection', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1), windowUpdate(1, MAX - 65_535), settings([INITIAL_WINDOW_SIZE, 65_535]));
    assert.equal(peer.goaway, undefined);
    peer.send(settings([INITIAL_WINDOW_SIZE, 65_536]));
    assert.equal(peer.goaway, Http2Code.FLOW_CONTROL_ERROR);
    peer.close();
  });

  it('of a setting that comes twice in a frame the last counts', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = answer(1_000);
    peer.send(settings([INITIAL_WINDOW_SIZE, MAX], [INITIAL_WINDOW_SIZE, 5]), peer.open(1, { end: true }));
    assert.equal(peer.response(1).body.length, 5);
    peer.send(settings([INITIAL_WINDOW_SIZE, 65_535]));
    assert.ok(peer.response(1).ended);
    assertServes(peer);
  });

  it('nothing but SETTINGS may begin, and not an acknowledgement', () => {
    for (const first of [ping(), settingsAck(), windowUpdate(0, 1), frame(0xbe, 0, 0), headers(1, Buffer.alloc(0))]) {
      const peer = new TestPeer();
      peer.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), first);
      assert.equal(peer.goaway, Http2Code.PROTOCOL_ERROR);
      peer.close();
    }
  });
});
