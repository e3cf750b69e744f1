import assert from 'node:assert/strict';
import { Http2Code } from './error-code.js';
import { windowUpdate } from './testing/frames.js';
import { answer, DONE, OK, PREFIX } from './testing/responses.js';
import { TestPeer } from './testing/test-peer.js';

const INITIAL_WINDOW_SIZE = 4;
const LIMITS = { stalledMs: 1_000, keepaliveMs: 0 };
const BYTES = 100_000;

describe('responses that wait for a peer', () => {
  it('that takes nothing are given up, and hold nothing', () => {
    const peer = TestPeer.ready(LIMITS, [INITIAL_WINDOW_SIZE, 0]);
    peer.handler.onEnd = answer(BYTES);
    for (const id of [1, 3]) peer.send(peer.open(id, { end: true }));
    assert.equal(peer.connection.usage.unsentBytes, 2 * (BYTES + PREFIX.length));
    peer.pass(2_050);
    assert.deepEqual([1, 3].map((id) => peer.response(id).reset), [Http2Code.CANCEL, Http2Code.CANCEL]);
    assert.equal(peer.connection.usage.unsentBytes, 0);
    // The connection lives.
    peer.handler.onEnd = answer(0);
    peer.send(peer.open(5, { end: true }), windowUpdate(5, 100));
    assert.ok(peer.response(5).ended);
    peer.close();
  });

  it('that opens the window of the connection no more are given up too', () => {
    const peer = TestPeer.ready(LIMITS, [INITIAL_WINDOW_SIZE, 10_000_000]);
    peer.handler.onEnd = answer(BYTES);
    peer.send(peer.open(1, { end: true }));
    assert.equal(peer.response(1).body.length, 65_535);
    peer.pass(3_050);
    assert.equal(peer.response(1).reset, Http2Code.CANCEL);
    peer.close();
  });

  it('that takes its time come whole', () => {
    const peer = TestPeer.ready(LIMITS, [INITIAL_WINDOW_SIZE, 0]);
    peer.handler.onEnd = answer(BYTES);
    peer.send(peer.open(1, { end: true }));
    for (let taken = 0; taken < BYTES; taken += 5_000) {
      peer.pass(950);
      peer.send(windowUpdate(1, 5_005), windowUpdate(0, 5_005));
    }
    assert.equal(peer.response(1).body.length, BYTES + PREFIX.length);
    assert.ok(peer.response(1).ended);
    peer.close();
  });

  it('and for others of its streams come whole, however long their turn is in coming', () => {
    const peer = TestPeer.ready(LIMITS, [INITIAL_WINDOW_SIZE, 10_000_000]);
    peer.handler.onEnd = answer(BYTES);
    for (let id = 1; id < 200; id += 2) peer.send(peer.open(id, { end: true }));
    while (!peer.response(199).ended) {
      peer.pass(950);
      peer.send(windowUpdate(0, 200_000));
      peer.read();
    }
    for (let id = 1; id < 200; id += 2) assert.equal(peer.response(id).reset, undefined);
    peer.close();
  });

  it('that reads other streams and not this one are given up', () => {
    const peer = TestPeer.ready(LIMITS, [INITIAL_WINDOW_SIZE, 0]);
    peer.handler.onEnd = answer(BYTES);
    peer.send(peer.open(1, { end: true }), peer.open(3, { end: true }));
    for (let i = 0; i < 4; i++) {
      peer.send(windowUpdate(3, 10_000), windowUpdate(0, 10_000));
      peer.pass(550);
    }
    assert.deepEqual([peer.response(1).reset, peer.response(3).reset], [Http2Code.CANCEL, undefined]);
    peer.close();
  });

  it('in pieces wait for as long as it likes: who writes them is kept waiting', () => {
    const peer = TestPeer.ready(LIMITS, [INITIAL_WINDOW_SIZE, 0]);
    peer.send(peer.open(1, { end: true }));
    const { stream } = peer.handler.call(1);
    stream.headers(OK);
    assert.equal(stream.data(PREFIX, Buffer.alloc(BYTES)), false);
    peer.pass(60_000);
    assert.equal(peer.connection.usage.unsentBytes, 0);
    stream.trailers(DONE);
    peer.widen(BYTES + PREFIX.length, 1);
    assert.ok(peer.response(1).ended);
    peer.close();
  });

  it('in a transport that is full wait for the transport', () => {
    const peer = TestPeer.ready(LIMITS, [INITIAL_WINDOW_SIZE, 10_000_000]);
    peer.transport.answer = () => 'full';
    peer.handler.onEnd = answer(3 * BYTES);
    peer.send(windowUpdate(0, 1_000_000), peer.open(1, { end: true }), peer.open(3, { end: true }));
    peer.pass(60_000);
    assert.ok(peer.connection.usage.unsentBytes > 0);
    peer.transport.answer = () => 'taken';
    peer.drained();
    peer.turn();
    assert.deepEqual([1, 3].map((id) => peer.response(id).ended), [true, true]);
    peer.close();
  });
});
