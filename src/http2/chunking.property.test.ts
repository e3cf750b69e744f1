import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Http2Code } from './error-code.js';
import { PREFACE, continuation, data, headers, ping, priority, rstStream, settings, settingsAck, windowUpdate } from './testing/frames.js';
import { answer, echo } from './testing/responses.js';
import { TestPeer } from './testing/test-peer.js';

/** Steps of a client, each of which is some bytes when it comes to it. */
type Step = (peer: TestPeer, nextId: () => number, open: readonly number[]) => Uint8Array;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.nat(20_000).map((size): Step => (peer, nextId) => peer.whole(nextId(), Buffer.alloc(Math.min(size, 16_000), size))),
  fc.constant<Step>((peer, nextId) => peer.open(nextId(), { path: '/left-open' })),
  fc.constant<Step>((peer, nextId) => peer.open(nextId(), { path: '/large', end: true })),
  fc.tuple(fc.nat(100), fc.nat(60)).map(([at, size]): Step => (peer, nextId) => {
    const block = peer.block(peer.request('/cut', [['x', 'y'.repeat(size)]]));
    const id = nextId();
    const cut = at % block.length;
    const first = headers(id, block.subarray(0, cut), { endHeaders: false, end: true, pad: at });
    return Buffer.concat([first, continuation(id, block.subarray(cut), true)]);
  }),
  fc.record({ which: fc.nat(10), size: fc.nat(3_000), end: fc.boolean() }).map(({ which, size, end }): Step => (_, __, open) => {
    const id = open[which % open.length];
    return id === undefined ? ping() : data(id, Buffer.alloc(size, which), { end, pad: size % 256 });
  }),
  fc.nat(10).map((which): Step => (_, __, open) => rstStream(open[which % open.length] ?? 1, Http2Code.CANCEL)),
  fc.record({ which: fc.nat(10), size: fc.integer({ min: 1, max: 100_000 }) }).map(({ which, size }): Step => (_, __, open) =>
    windowUpdate(which < 3 ? 0 : (open[which % open.length] ?? 0), size)),
  fc.nat(200_000).map((size): Step => () => settings([4, size])),
  fc.nat(5_000).map((size): Step => () => settings([1, size])),
  fc.nat(100).map((number): Step => () => ping(number)),
  fc.constant<Step>(() => priority(1, 0)),
);

/** The bytes of a session; its `open` streams are those that a step has left so. */
function session(steps: readonly Step[]): Buffer {
  const peer = new TestPeer();
  const open: number[] = [1];
  let id = 1;
  const nextId = (): number => {
    id += 2;
    open.push(id);
    if (open.length > 5) open.shift();
    return id;
  };
  const first = peer.open(1, { path: '/left-open' });
  return Buffer.concat([PREFACE, settings([4, 30_000]), settingsAck(), first, ...steps.map((one) => one(peer, nextId, open))]);
}

/** All that the server says, and all that its layer above hears. */
function play(chunks: readonly Uint8Array[]): { readonly said: string; readonly heard: unknown } {
  const peer = new TestPeer();
  peer.handler.onEnd = (call) => (call.path === '/large' ? answer(50_000)(call) : echo(call));
  for (const chunk of chunks) peer.connection.receive(Uint8Array.from(chunk));
  peer.clock.advance(0);
  const said = Buffer.concat(peer.transport.writes).toString('hex');
  const heard = peer.handler.calls.map(({ id, path, body, ended, over }) => [id, path, body.toString('hex'), ended, over]);
  peer.close();
  return { said, heard };
}

describe('a session in any chunks', () => {
  it('is the same session: one-byte chunks, random ones, all at once', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), cuts, (steps, sizes) => {
        const bytes = session(steps);
        const chunks: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] as number;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        const whole = play([bytes]);
        assert.deepEqual(play(chunks), whole);
        const single = Array.from(bytes.subarray(0, 10_000), (byte) => Uint8Array.of(byte));
        assert.deepEqual(play([...single, bytes.subarray(10_000)]), whole);
      }),
      { numRuns: 100 },
    );
  });
});
