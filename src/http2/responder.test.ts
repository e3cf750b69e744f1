import assert from 'node:assert/strict';
import { Http2Code } from './error-code.js';
import { HeaderList } from './hpack/header-list.js';
import { T, rstStream, settings, windowUpdate } from './testing/frames.js';
import { DONE, NOT_FOUND, OK, PREFIX, answer, echo, echoInPieces, withPrefix } from './testing/responses.js';
import type { Call } from './testing/test-handler.js';
import { TestPeer } from './testing/test-peer.js';

const INITIAL_WINDOW_SIZE = 4;
const HEADER_TABLE_SIZE = 1;
const EMPTY = new Uint8Array(0);

describe('responses', () => {
  it('a small response is headers, one frame of payload and trailers, in one write', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = echo;
    const before = peer.transport.writes.length;
    peer.send(peer.whole(1, 'hello'));
    assert.equal(peer.transport.writes.length, before + 1, 'without waiting for the end of the turn');
    assert.deepEqual(peer.read().map(({ type, id }) => [type, id]), [[T.HEADERS, 1], [T.DATA, 1], [T.HEADERS, 1]]);
    const response = peer.response(1);
    assert.deepEqual(response.headers, [[':status', '200'], ['content-type', 'application/x']]);
    assert.deepEqual(response.trailers, [['x-status', '0']]);
    assert.deepEqual(response.body, withPrefix('hello'));
    assert.ok(response.ended);
    assert.equal(peer.handler.call(1).over, true);
    peer.close();
  });

  it('a response of one frame is one piece of the write, whatever its size, once large ones are usual', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = echo;
    const { transport } = peer;
    const pieces: number[] = [];
    const write = transport.write.bind(transport);
    transport.write = (some) => {
      pieces.push(some.length);
      return write(some);
    };
    for (const [n, bytes] of [9_000, 9_000, 16_000, 10].entries()) {
      const body = 'x'.repeat(bytes);
      peer.send(peer.whole(2 * n + 1, body));
      assert.deepEqual(peer.response(2 * n + 1).body, withPrefix(body));
    }
    assert.deepEqual(pieces.slice(-3), [1, 1, 1]);
    peer.close();
  });

  it('all answers of one chunk leave in one write', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = echo;
    const before = peer.transport.writes.length;
    peer.send(...Array.from({ length: 100 }, (_, i) => peer.whole(2 * i + 1, `${i}`)));
    assert.equal(peer.transport.writes.length, before + 1);
    for (let i = 0; i < 100; i++) assert.deepEqual(peer.response(2 * i + 1).body, withPrefix(`${i}`));
    peer.close();
  });

  it('answers that come later leave together at the end of the turn', () => {
    const peer = TestPeer.ready();
    for (let i = 0; i < 10; i++) peer.send(peer.whole(2 * i + 1, `${i}`));
    const before = peer.transport.writes.length;
    peer.handler.calls.forEach(echo);
    assert.equal(peer.transport.writes.length, before);
    peer.turn();
    assert.equal(peer.transport.writes.length, before + 1);
    assert.ok(peer.handler.calls.every(({ over }) => over === true));
    peer.close();
  });

  it('one with a payload beyond the window goes on as the window grows, to its trailers', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = answer(200_000);
    peer.send(peer.open(1, { end: true }));
    assert.equal(peer.response(1).body.length, 65_535);
    assert.equal(peer.handler.call(1).stream.unsentBytes, 200_005 - 65_535);
    while (!peer.response(1).ended) {
      const came = peer.response(1).body.length;
      peer.widen(50_000, 1);
      assert.ok(peer.response(1).body.length > came);
    }
    assert.deepEqual(peer.response(1).body, withPrefix(Buffer.alloc(200_000, 97)));
    assert.equal(peer.response(1).frames, Math.ceil(65_535 / 16_384) + 4 + 4 + 3, 'frames are as large as they may be');
    peer.close();
  });

  it('the window of the connection is shared, a frame of each stream in turn', () => {
    const peer = TestPeer.ready();
    peer.send(...[1, 3, 5].map((id) => peer.open(id, { end: true })));
    peer.handler.calls.forEach(answer(60_000));
    const order = peer.turn().filter(({ type }) => type === T.DATA).map(({ id }) => id);
    assert.deepEqual(order, [1, 1, 1, 1, 3], 'whoever comes first gets what is there');
    peer.send(windowUpdate(0, 4 * 16_384));
    assert.deepEqual(peer.read().map(({ id }) => id), [3, 5, 3, 5]);
    peer.send(windowUpdate(0, 200_000));
    for (const id of [1, 3, 5]) assert.deepEqual(peer.response(id).body, withPrefix(Buffer.alloc(60_000, 97)));
    peer.close();
  });

  it('headers and trailers need no window', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 0]);
    peer.handler.onEnd = echoInPieces;
    peer.send(peer.whole(1, 'x'), peer.open(3, { end: true }));
    assert.ok(peer.response(1).headers !== undefined);
    assert.equal(peer.response(1).body.length, 0);
    peer.send(peer.open(5));
    peer.handler.call(5).stream.respondOnly(NOT_FOUND);
    peer.turn();
    assert.ok(peer.response(5).ended);
    peer.widen(6, 1);
    assert.ok(peer.response(1).ended);
    peer.close();
  });

  it('a window made negative by SETTINGS is waited for, and a larger one lets all streams go on', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = answer(60_000);
    peer.send(peer.open(1, { end: true }), peer.open(3, { end: true }));
    assert.equal(peer.response(3).body.length, 65_535 - 60_005);
    peer.send(settings([INITIAL_WINDOW_SIZE, 1_000]), windowUpdate(0, 1_000_000));
    peer.turn();
    assert.equal(peer.windows.ofStream(3), 1_000 - 5_530);
    assert.equal(peer.response(3).body.length, 5_530);
    peer.send(windowUpdate(3, 4_530));
    assert.equal(peer.response(3).body.length, 5_530, 'the window is zero');
    peer.send(windowUpdate(3, 1));
    assert.equal(peer.response(3).body.length, 5_531);
    peer.send(settings([INITIAL_WINDOW_SIZE, 100_000]));
    assert.ok(peer.response(3).ended);
    peer.close();
  });

  it('trailers are encoded when they go out, not when they are given', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 10]);
    const lists = [1, 3, 5, 7].map((id) => HeaderList.of(['x-of', `${id}`], ['x-long', 'v'.repeat(id)]));
    peer.send(...[1, 3, 5, 7].map((id) => peer.open(id, { end: true })));
    peer.handler.calls.forEach(({ stream }, i) => stream.respond(OK, PREFIX, Buffer.alloc(20), lists[i] as HeaderList));
    peer.turn();
    peer.send(settings([HEADER_TABLE_SIZE, 0]));
    for (const id of [5, 1]) peer.widen(20, id);
    peer.send(settings([HEADER_TABLE_SIZE, 4_096]));
    for (const id of [7, 3]) peer.widen(20, id);
    for (const id of [1, 3, 5, 7]) assert.deepEqual(peer.response(id).trailers, [['x-of', `${id}`], ['x-long', 'v'.repeat(id)]]);
    peer.close();
  });

  it('a header block larger than a frame goes on in CONTINUATION frames', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = ({ stream }) => stream.respondOnly(HeaderList.once([':status', '200'], ['x-long', '~'.repeat(70_000)]));
    peer.send(peer.open(3, { end: true }));
    assert.ok(peer.response(3).ended && peer.response(3).header('x-long')?.length === 70_000);
    peer.close();
  });

  it('so do trailers', () => {
    const peer = TestPeer.ready();
    const value = '~'.repeat(40_000);
    peer.handler.onEnd = ({ stream }) => stream.respond(OK, PREFIX, EMPTY, HeaderList.once(['x-long', value]));
    peer.send(peer.open(1, { end: true }));
    const types = peer.read().map(({ type }) => type);
    assert.deepEqual(types, [T.HEADERS, T.DATA, T.HEADERS, T.CONTINUATION, T.CONTINUATION]);
    assert.deepEqual(peer.response(1).trailers, [['x-long', value]]);
    assert.ok(peer.response(1).ended);
    peer.close();
  });

  it('once a response is complete the rest of its request is not wanted: NO_ERROR', () => {
    const peer = TestPeer.ready();
    peer.handler.onRequest = ({ stream }) => stream.respondOnly(NOT_FOUND);
    peer.send(peer.open(1));
    assert.ok(peer.response(1).ended);
    assert.equal(peer.response(1).reset, Http2Code.NO_ERROR);
    assert.equal(peer.handler.call(1).over, true);
    peer.close();
  });

  it('in pieces: more than enough is told, and when it has gone', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1));
    const { stream } = peer.handler.call(1);
    stream.headers(OK);
    let given = 0;
    while (stream.data(PREFIX, new Uint8Array(9_995))) given += 10_000;
    given += 10_000;
    assert.equal(stream.unsentBytes, given - 65_535);
    peer.widen(50_000, 1);
    assert.equal(peer.handler.call(1).writables, 0, 'much is still waiting');
    peer.widen(given - 115_535 - 16 * 1024, 1);
    assert.equal(peer.handler.call(1).writables, 1);
    peer.widen(1_000_000, 1);
    assert.equal(peer.handler.call(1).writables, 1, 'once for each refusal');
    stream.trailers(DONE);
    peer.turn();
    assert.equal(peer.response(1).body.length, given);
    assert.ok(peer.response(1).ended);
    peer.close();
  });

  it('who is told that more may come can give it at once, and end', () => {
    const peer = TestPeer.ready();
    peer.send(peer.open(1, { end: true }));
    let rounds = 0;
    const give = ({ stream }: Call): void => {
      while (rounds < 100) {
        rounds++;
        if (!stream.data(EMPTY, new Uint8Array(100_000))) return;
      }
      stream.trailers(DONE);
    };
    peer.handler.onWritable = give;
    peer.handler.call(1).stream.headers(OK);
    give(peer.handler.call(1));
    for (let i = 0; i < 200 && !peer.response(1).ended; i++) peer.widen(80_000, 1);
    assert.equal(peer.response(1).body.length, 10_000_000);
    assert.ok(peer.response(1).ended);
    assert.equal(peer.handler.call(1).over, true);
    peer.close();
  });

  it('thousands that are told at once and give more at once are served one after the other', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 10_000_000]);
    const give = ({ stream }: Call): void => void stream.data(EMPTY, new Uint8Array(70_000));
    peer.handler.onWritable = give;
    for (let id = 1; id < 6_000; id += 2) {
      peer.send(peer.open(id, { end: true }));
      peer.handler.call(id).stream.headers(OK);
      give(peer.handler.call(id));
    }
    peer.send(windowUpdate(0, 70_000 * 3_000));
    assert.ok(peer.handler.calls.filter(({ writables }) => writables > 0).length > 2_000);
    peer.connection.closed();
  });

  it('what is given to one while another is told comes after what waits in it', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 10_000_000]);
    peer.send(peer.open(1, { end: true }), peer.open(3, { end: true }));
    const [one, three] = [peer.handler.call(1).stream, peer.handler.call(3).stream];
    for (const stream of [one, three]) {
      stream.headers(OK);
      stream.data(EMPTY, Buffer.alloc(140_000, stream.id));
    }
    peer.handler.onWritable = ({ stream }) => void (stream === one ? three : one).data(EMPTY, Buffer.alloc(10, 99));
    peer.widen(10_000_000);
    for (const [id, other] of [[1, 3], [3, 1]] as const) {
      const { body } = peer.response(id);
      assert.equal(peer.handler.call(other).writables, 1);
      assert.ok(body.equals(Buffer.concat([Buffer.alloc(140_000, id), Buffer.alloc(10, 99)])));
    }
    peer.close();
  });

  it('a reset drops what waits, and the others go on', () => {
    const peer = TestPeer.ready();
    peer.handler.onEnd = answer(60_000);
    peer.send(...[1, 3, 5].map((id) => peer.open(id, { end: true })));
    peer.handler.call(3).stream.reset(Http2Code.CANCEL);
    peer.turn();
    assert.equal(peer.response(3).reset, Http2Code.CANCEL);
    assert.equal(peer.handler.call(3).over, false);
    peer.send(rstStream(5, Http2Code.CANCEL), windowUpdate(0, 1_000_000));
    assert.equal(peer.handler.call(5).over, false);
    assert.equal(peer.connection.openStreams, 0);
    peer.close();
  });

  it('what is said to a stream that is over means nothing', () => {
    const peer = TestPeer.ready();
    peer.handler.releases = false;
    peer.send(peer.open(1), rstStream(1, Http2Code.CANCEL));
    const { stream } = peer.handler.call(1);
    stream.respond(OK, PREFIX, new Uint8Array(10), DONE);
    stream.respondOnly(OK);
    stream.headers(OK);
    assert.equal(stream.data(PREFIX, EMPTY), true);
    stream.trailers(DONE);
    stream.reset(Http2Code.CANCEL);
    stream.consumed(1_000);
    assert.deepEqual(peer.turn(), []);
    peer.close();
  });

  it('a stream that never asked is not told that more may come, whoever had its record before', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 10]);
    peer.send(peer.open(1));
    peer.handler.call(1).stream.headers(OK);
    assert.equal(peer.handler.call(1).stream.data(EMPTY, new Uint8Array(100_000)), false);
    peer.send(rstStream(1, Http2Code.CANCEL), peer.open(3));
    assert.equal(peer.handler.call(3).stream, peer.handler.call(1).stream);
    peer.handler.call(3).stream.headers(OK);
    assert.equal(peer.handler.call(3).stream.data(EMPTY, new Uint8Array(100)), true);
    peer.widen(1_000, 3);
    assert.deepEqual([peer.response(3).body.length, peer.handler.call(3).writables], [100, 0]);
    peer.send(rstStream(3, Http2Code.CANCEL));
    peer.close();
  });

  it('nor does it send what waited in a stream that was reset', () => {
    const peer = TestPeer.ready({}, [INITIAL_WINDOW_SIZE, 10]);
    peer.send(peer.open(1, { end: true }));
    peer.handler.call(1).stream.respond(OK, PREFIX, new Uint8Array(100), DONE);
    peer.send(rstStream(1, Http2Code.CANCEL), peer.open(3, { end: true }));
    assert.equal(peer.handler.call(3).stream, peer.handler.call(1).stream);
    peer.handler.call(3).stream.respondOnly(NOT_FOUND);
    peer.turn();
    assert.deepEqual([peer.response(3).ended, peer.response(3).frames], [true, 0]);
    peer.close();
  });

  it('a record serves another request only after it was released and is over', () => {
    const peer = TestPeer.ready();
    peer.handler.releases = false;
    peer.send(peer.open(1), rstStream(1, Http2Code.CANCEL), peer.open(3));
    assert.notEqual(peer.handler.call(3).stream, peer.handler.call(1).stream);
    peer.handler.call(3).release();
    peer.send(peer.open(5));
    assert.notEqual(peer.handler.call(5).stream, peer.handler.call(3).stream, 'released, and not over');
    peer.send(rstStream(3, Http2Code.CANCEL), peer.open(7));
    assert.equal(peer.handler.call(7).stream, peer.handler.call(3).stream);
    peer.close();
  });
});
