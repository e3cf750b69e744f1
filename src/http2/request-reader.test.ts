import assert from 'node:assert/strict';
import { Http2Code } from './error-code.js';
import { F, T, continuation, data, frame, headers, priority, rstStream, windowUpdate } from './testing/frames.js';
import { DONE, OK, PREFIX, echo, withPrefix } from './testing/responses.js';
import { TestPeer } from './testing/test-peer.js';

const EMPTY = new Uint8Array(0);

/** The connection has not ended, and serves. */
function assertServes(peer: TestPeer): void {
  assert.equal(peer.goaway, undefined);
  peer.handler.onEnd = echo;
  peer.send(peer.whole(99_999, 'still here'));
  assert.deepEqual(peer.response(99_999).body, withPrefix('still here'));
  peer.close();
}

function assertEndsWith(peer: TestPeer, code: number): void {
  assert.equal(peer.goaway, code);
  assert.ok(peer.transport.ended);
  peer.close();
}

describe('requests', () => {
  it('a body comes in pieces, in order, and ends once', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1), data(1, 'one '));
    const call = peer.handler.call('/1');
    assert.deepEqual([call.body.toString(), call.ended], ['one ', false]);
    peer.send(data(1, 'two '), data(1, 'three', { end: true }));
    assert.deepEqual([call.body.toString(), call.ended], ['one two three', true]);
    assertServes(peer);
  });

  it('one without a body has ended with its headers', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1, { end: true, more: [['x-a', 'b']] }));
    assert.ok(peer.handler.call(1).ended);
    assert.deepEqual(peer.handler.call(1).fields, [['x-a', 'b']]);
    assertServes(peer);
  });

  it('trailers end a request', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1), data(1, 'body'), headers(1, peer.block([['x-checksum', '7']]), { end: true }));
    assert.deepEqual([peer.handler.call(1).body.toString(), peer.handler.call(1).ended], ['body', true]);
    assertServes(peer);
  });

  for (const [what, fields, end] of [
    ['that do not end it', [['x-a', 'b']], false],
    ['with a pseudo field', [[':path', '/']], true],
    ['with upper case', [['X-A', 'b']], true],
  ] as const) {
    it(`trailers ${what} reset the stream`, () => {
      const peer = TestPeer.ready();
      peer.send(peer.open(1), data(1, 'body'), headers(1, peer.block(fields), { end }));
      assert.equal(peer.response(1).reset, Http2Code.PROTOCOL_ERROR);
      assert.equal(peer.handler.call(1).over, false);
      assertServes(peer);
    });
  }

  it('padding is no part of a body, and is counted and given back at once', () => {
    const peer = TestPeer.ready({ streamWindowBytes: 1_000, connectionWindowBytes: 65_535 });
    peer.handler.consumes = false;
    peer.send(peer.open(1), data(1, 'x', { pad: 0 }), data(1, 'y', { pad: 255 }), data(1, '', { pad: 255 }));
    assert.equal(peer.handler.call(1).body.toString(), 'xy');
    assert.equal(peer.connection.usage.requestBytes, 2);
    peer.turn();
    assert.deepEqual(peer.of(T.WINDOW_UPDATE).map(({ id, payload }) => [id, payload.readUInt32BE(0)]), [[1, 1 + 256 + 256]]);
    assertServes(peer);
  });

  it('padded headers are read, whatever their padding', () => {
    const peer = TestPeer.ready();
    for (const [i, pad] of [0, 1, 255].entries()) {
      const id = 2 * i + 1;
      peer.send(headers(id, peer.block(peer.request(`/${id}`)), { pad, end: true, dependsOn: 0 }));
      assert.ok(peer.handler.call(`/${id}`).ended);
    }
    assertServes(peer);
  });

  for (const [what, bytes, code] of [
    ['PADDED HEADERS of length zero', frame(T.HEADERS, F.PADDED | F.END_HEADERS, 1), Http2Code.FRAME_SIZE_ERROR],
    ['HEADERS with more padding than frame', frame(T.HEADERS, F.PADDED | F.END_HEADERS, 1, Buffer.from([2, 0x82])), Http2Code.PROTOCOL_ERROR],
    ['HEADERS too short for their priority', frame(T.HEADERS, F.PRIORITY | F.END_HEADERS, 1, Buffer.alloc(4)), Http2Code.FRAME_SIZE_ERROR],
    ['HEADERS whose padding leaves no priority', frame(T.HEADERS, 0x2c, 1, Buffer.from([3, 0, 0, 0, 0, 0])), Http2Code.PROTOCOL_ERROR],
    ['HEADERS of an even stream', headers(2, EMPTY), Http2Code.PROTOCOL_ERROR],
    ['HEADERS of stream 0', headers(0, EMPTY), Http2Code.PROTOCOL_ERROR],
    ['a block that cannot be decoded', headers(1, Buffer.from([0xff])), Http2Code.COMPRESSION_ERROR],
    ['DATA of stream 0', data(0, 'x'), Http2Code.PROTOCOL_ERROR],
    ['CONTINUATION of no block', continuation(1, EMPTY, true), Http2Code.PROTOCOL_ERROR],
  ] as const) {
    it(`${what} end the connection`, () => {
      const peer = TestPeer.ready();
      peer.send(bytes);
      assertEndsWith(peer, code);
    });
  }

  for (const [what, payload, code] of [
    ['PADDED of length zero', EMPTY, Http2Code.FRAME_SIZE_ERROR],
    ['with more padding than frame', Buffer.from([1]), Http2Code.PROTOCOL_ERROR],
  ] as const) {
    it(`DATA ${what} end the connection`, () => {
      const peer = TestPeer.ready();
      peer.send(peer.open(1), frame(T.DATA, F.PADDED, 1, payload));
      assert.equal(peer.handler.call(1).over, false);
      assertEndsWith(peer, code);
    });
  }

  it('a header block may come in any number of CONTINUATION frames', () => {
    const peer = TestPeer.ready();
    const block = peer.block(peer.request('/long', [['x-long', 'v'.repeat(3_000)]]));
    peer.send(headers(1, block.subarray(0, 1), { endHeaders: false, end: true, pad: 3 }));
    peer.send(continuation(1, EMPTY, false), continuation(1, block.subarray(1, 7), false));
    assert.equal(peer.handler.calls.length, 0);
    peer.send(continuation(1, block.subarray(7), true));
    assert.deepEqual(peer.handler.call('/long').fields, [['x-long', 'v'.repeat(3_000)]]);
    assert.ok(peer.handler.call('/long').ended, 'the end of a stream is said by its HEADERS');
    assertServes(peer);
  });

  for (const [what, bytes] of [
    ['DATA', data(1, 'x')], ['HEADERS', headers(3, EMPTY)], ['PRIORITY', priority(1, 0)], ['RST_STREAM', rstStream(1, 0)],
    ['WINDOW_UPDATE', windowUpdate(0, 1)], ['an unknown frame', frame(0xbe, 0, 0)], ['CONTINUATION of another stream', continuation(3, EMPTY, true)],
  ] as const) {
    it(`${what} within a header block ends the connection`, () => {
      const peer = TestPeer.ready();
      peer.send(headers(1, EMPTY, { endHeaders: false }), bytes);
      assertEndsWith(peer, Http2Code.PROTOCOL_ERROR);
    });
  }

  it('a header list beyond the limit is answered 431, and the table is still that of the peer', () => {
    const peer = TestPeer.ready({ maxHeaderListBytes: 4_000 });
    const long = ['x-long', 'v'.repeat(2_500)] as const;
    const block = peer.block(peer.request('/1', [long, ['x-more', 'w'.repeat(2_500)]]));
    peer.send(headers(1, block), data(1, 'a body that nobody reads'), data(1, 'more of it', { end: true }));
    assert.deepEqual(peer.response(1).headers, [[':status', '431']]);
    assert.ok(peer.response(1).ended);
    assert.equal(peer.response(1).reset, Http2Code.NO_ERROR);
    peer.send(peer.open(3, { more: [long], end: true }));
    assert.deepEqual(peer.handler.call('/3').fields, [long]);
    assert.equal(peer.handler.calls.length, 1, 'the other was not told of');
    assertServes(peer);
  });

  for (const [what, fields] of [
    ['without a path', [[':method', 'POST'], [':scheme', 'http']]],
    ['with a name in upper case', [[':method', 'POST'], [':scheme', 'http'], [':path', '/'], ['X-A', '1']]],
    ['with a field of the connection', [[':method', 'POST'], [':scheme', 'http'], [':path', '/'], ['connection', 'close']]],
  ] as const) {
    it(`a request ${what} is reset, and nobody is told of it`, () => {
      const peer = TestPeer.ready();
      peer.send(headers(1, peer.block(fields)), data(1, 'x', { end: true }));
      assert.equal(peer.response(1).reset, Http2Code.PROTOCOL_ERROR);
      assert.equal(peer.handler.calls.length, 0);
      assertServes(peer);
    });
  }

  for (const [what, length, parts] of [
    ['more', '4', ['12345']], ['more, in pieces', '4', ['123', '45']], ['less', '4', ['123']], ['none', '4', []],
  ] as const) {
    it(`a body of ${what} than content-length says is reset`, () => {
      const peer = TestPeer.ready();
      const end = parts.length === 0;
      peer.send(peer.open(1, { more: [['content-length', length]], end }), ...parts.map((part, i) => data(1, part, { end: i === parts.length - 1 })));
      assert.equal(peer.response(1).reset, Http2Code.PROTOCOL_ERROR);
      assert.ok(peer.handler.calls.every(({ ended, over }) => !ended && over === false));
      assertServes(peer);
    });
  }

  it('a body as long as content-length says is taken, whatever ends it', () => {
    const peer = TestPeer.ready();
    const more = [['content-length', '5']] as const;
    peer.send(peer.open(1, { more }), data(1, '123'), data(1, '45', { end: true, pad: 9 }));
    peer.send(peer.open(3, { more }), data(3, '12345'), headers(3, peer.block([['x-a', 'b']]), { end: true }));
    peer.send(peer.open(5, { more: [['content-length', '0']], end: true }));
    assert.ok(peer.handler.calls.every(({ ended }) => ended));
    assertServes(peer);
  });

  it('streams beyond the limit are refused, with all that is still sent for them', () => {
    const peer = TestPeer.ready({ maxConcurrentStreams: 2 });
    peer.send(peer.open(1), peer.open(3));
    peer.send(peer.open(5, { more: [['x-new', 'in the table']] }), data(5, 'x'), headers(5, peer.block([['x-t', '1']]), { end: true }));
    assert.equal(peer.response(5).reset, Http2Code.REFUSED_STREAM);
    assert.equal(peer.handler.calls.length, 2);
    peer.send(rstStream(1, Http2Code.CANCEL), peer.open(7, { more: [['x-new', 'in the table']] }));
    assert.deepEqual(peer.handler.call('/7').fields, [['x-new', 'in the table']]);
    peer.send(rstStream(3, Http2Code.CANCEL));
    assertServes(peer);
  });

  it('streams that are over count as long as the layer above works for them', () => {
    const peer = TestPeer.ready({ maxConcurrentStreams: 2 });
    peer.handler.releases = false;
    peer.send(...[1, 3].flatMap((id) => [peer.open(id), rstStream(id, Http2Code.CANCEL)]), peer.open(5));
    assert.equal(peer.response(5).reset, Http2Code.REFUSED_STREAM);
    peer.handler.call(1).release();
    assertServes(peer);
  });
});

describe('states of a stream (RFC 9113, 5.1)', () => {
  for (const [what, bytes] of [
    ['DATA', data(5, 'x')], ['RST_STREAM', rstStream(5, 0)], ['WINDOW_UPDATE', windowUpdate(5, 1)], ['WINDOW_UPDATE', windowUpdate(2, 1)],
    ['RST_STREAM', rstStream(2, 0)], ['DATA', data(2, 'x')],
  ] as const) {
    it(`idle: ${what} ends the connection`, () => {
      const peer = TestPeer.ready();
      peer.send(peer.open(3), bytes);
      assertEndsWith(peer, Http2Code.PROTOCOL_ERROR);
    });
  }

  it('half-closed: DATA and HEADERS are STREAM_CLOSED, the others are taken', () => {
    const peer = TestPeer.ready();
    peer.send(...[1, 3, 5].map((id) => peer.open(id, { end: true })));
    peer.send(data(1, 'x'), headers(3, peer.block([['x-a', 'b']]), { end: true }), windowUpdate(5, 10), priority(5, 0));
    assert.deepEqual([1, 3, 5].map((id) => peer.response(id).reset), [Http2Code.STREAM_CLOSED, Http2Code.STREAM_CLOSED, undefined]);
    assert.deepEqual([1, 3, 5].map((id) => peer.handler.call(id).over), [false, false, undefined]);
    peer.send(rstStream(5, Http2Code.CANCEL));
    assertServes(peer);
  });

  it('closed by both sides: DATA is STREAM_CLOSED, what may be late means nothing', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = echo;
    peer.send(peer.whole(1, 'x'));
    peer.send(windowUpdate(1, 10), windowUpdate(1, 0), rstStream(1, Http2Code.CANCEL), priority(1, 0));
    assert.equal(peer.response(1).reset, undefined);
    peer.send(data(1, 'x'));
    assert.equal(peer.response(1).reset, Http2Code.STREAM_CLOSED);
    assertServes(peer);
  });

  it('closed by both sides: HEADERS end the connection', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = echo;
    peer.send(peer.whole(1, 'x'), headers(1, peer.block([['x-a', 'b']]), { end: true }));
    assertEndsWith(peer, Http2Code.STREAM_CLOSED);
  });

  it('reset by the client: DATA is STREAM_CLOSED, HEADERS end the connection', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1), rstStream(1, Http2Code.CANCEL), data(1, 'x'));
    assert.equal(peer.response(1).reset, Http2Code.STREAM_CLOSED);
    assert.equal(peer.goaway, undefined);
    peer.send(peer.open(1));
    assertEndsWith(peer, Http2Code.STREAM_CLOSED);
  });

  it('reset by the server: what was on its way is taken until the client has ended it, too', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1));
    peer.handler.call(1).stream.reset(Http2Code.CANCEL);
    peer.send(data(1, 'x'), windowUpdate(1, 5), data(1, Buffer.alloc(10_000)), headers(1, peer.block([['x-a', 'b']]), { end: true }));
    peer.turn();
    assert.deepEqual(peer.of(T.RST_STREAM).map(({ id, payload }) => [id, payload.readUInt32BE(0)]), [[1, Http2Code.CANCEL]]);
    assert.equal(peer.connection.usage.requestBytes, 0);
    peer.send(data(1, 'x'));
    assert.equal(peer.response(1).reset, Http2Code.STREAM_CLOSED);
    assertServes(peer);
  });

  it('ids that were skipped are closed', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(7), headers(5, peer.block(peer.request('/5'))));
    assertEndsWith(peer, Http2Code.STREAM_CLOSED);
  });
});

describe('windows for requests', () => {
  it('a stream beyond its window is reset, and the connection gets its part back', () => {
    const peer = TestPeer.ready({ streamWindowBytes: 100, connectionWindowBytes: 65_535 });
    peer.handler.consumes = false;
    peer.send(peer.open(1), peer.open(3), data(1, Buffer.alloc(60)), data(3, Buffer.alloc(100)));
    assert.equal(peer.connection.usage.requestBytes, 160);
    peer.send(data(1, Buffer.alloc(41)));
    assert.equal(peer.response(1).reset, Http2Code.FLOW_CONTROL_ERROR);
    assert.equal(peer.connection.usage.requestBytes, 100);
    assertServes(peer);
  });

  it('a connection beyond its window ends', () => {
    const peer = TestPeer.ready({ connectionWindowBytes: 0 });
    peer.handler.consumes = false;
    peer.send(peer.open(1), ...Array.from({ length: 4 }, () => data(1, Buffer.alloc(16_383))));
    assert.equal(peer.goaway, undefined, 'a connection has 65,535 bytes at least');
    peer.send(data(1, Buffer.alloc(4)));
    assertEndsWith(peer, Http2Code.FLOW_CONTROL_ERROR);
  });

  it('a body larger than the window arrives whole if it is consumed as it comes', () => {
    const peer = TestPeer.ready({ streamWindowBytes: 50_000, connectionWindowBytes: 65_535 });
    peer.send(peer.open(1));
    for (let left = 1_000_000; left > 0; left -= 10_000) {
      peer.send(data(1, Buffer.alloc(10_000, left / 10_000), { end: left === 10_000 }));
      peer.turn();
    }
    assert.equal(peer.handler.call(1).body.length, 1_000_000);
    const updates = peer.of(T.WINDOW_UPDATE);
    const told = (id: number): number => updates.filter((f) => f.id === id).reduce((n, f) => n + f.payload.readUInt32BE(0), 0);
    assert.ok(told(1) >= 950_000 && told(1) <= 1_000_000 && told(0) >= 950_000 && told(0) <= 1_000_000);
    assert.ok(updates.length < 100, 'told by halves of a window');
    assertServes(peer);
  });

  it('a request that has ended needs no window', () => {
    const peer = TestPeer.ready({ streamWindowBytes: 1_000 });
    peer.handler.consumes = false;
    peer.send(peer.whole(1, Buffer.alloc(900)));
    peer.handler.call(1).stream.consumed(900);
    assert.deepEqual(peer.turn(), []);
    assertServes(peer);
  });

  it('what is not consumed when a stream ends is given back to the connection', () => {
    const peer = TestPeer.ready({ connectionWindowBytes: 65_535, streamWindowBytes: 65_535 });
    peer.handler.consumes = false;
    for (let id = 1; id < 100; id += 2) {
      peer.send(peer.open(id), data(id, Buffer.alloc(16_000)), data(id, Buffer.alloc(16_000)));
      assert.equal(peer.connection.usage.requestBytes, 32_000);
      const { stream } = peer.handler.call(id);
      if (id % 3 === 0) peer.send(rstStream(id, Http2Code.CANCEL));
      else if (id % 3 === 1) stream.respond(OK, PREFIX, EMPTY, DONE);
      else stream.reset(Http2Code.CANCEL);
      assert.equal(peer.connection.usage.requestBytes, 0);
    }
    assertServes(peer);
  });

  it('a peer that does not know a smaller window yet may use the one of the RFC', () => {
    const peer = new TestPeer({ streamWindowBytes: 100 });
    peer.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(T.SETTINGS, 0, 0), peer.open(1), data(1, Buffer.alloc(16_000)));
    peer.send(data(1, Buffer.alloc(16_000)), data(1, Buffer.alloc(16_000)), frame(T.SETTINGS, F.ACK, 0), data(1, Buffer.alloc(16_000)));
    peer.turn();
    assert.equal(peer.response(1).reset, undefined);
    assert.equal(peer.handler.call(1).body.length, 64_000);
    const told = peer.of(T.WINDOW_UPDATE).filter(({ id }) => id === 1).reduce((n, { payload }) => n + payload.readUInt32BE(0), 0);
    assert.equal(told, 64_000, 'or the peer would wait for ever, below zero');
    peer.send(peer.open(3), data(3, Buffer.alloc(101)));
    assert.equal(peer.response(3).reset, Http2Code.FLOW_CONTROL_ERROR);
    assertServes(peer);
  });
});
