import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FrameBufferPool } from './block-pool.js';
import { FrameReader, type FrameSink } from './frame-reader.js';
import { PREFACE, frame } from './testing/frames.js';

class Frames implements FrameSink {
  readonly seen: string[] = [];
  onFrame: () => void = () => undefined;

  frame(bytes: Uint8Array, from: number, to: number, type: number, flags: number, id: number): void {
    this.seen.push(`${type} ${flags} ${id} ${Buffer.from(bytes.subarray(from, to)).toString('hex')}`);
    this.onFrame();
  }
}

const described = ([type, flags, id, payload]: readonly [number, number, number, Uint8Array]): string =>
  `${type} ${flags} ${id} ${Buffer.from(payload).toString('hex')}`;

const payload = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(new Uint8Array(16_384)));
const one = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(0x7fff_ffff), payload);

describe('frames out of chunks', () => {
  it('are the same whatever the chunks, and although each chunk is spoilt; at most one buffer is held', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), sizes, fc.boolean(), (frames, cuts, stops) => {
        const sink = new Frames();
        const pool = new FrameBufferPool();
        const reader = new FrameReader(sink, pool);
        if (stops) sink.onFrame = () => reader.stop();
        const bytes = Buffer.concat([PREFACE, ...frames.map(([type, flags, id, payload]) => frame(type, flags, id, payload))]);
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = (cuts[i % cuts.length] as number) ** 2;
          const chunk = Uint8Array.from(bytes.subarray(at, at + size));
          at += size;
          assert.equal(reader.read(chunk), 'ok');
          chunk.fill(0xee);
          assert.ok(pool.lent <= 1);
          if (i % 3 === 0) reader.goOn();
        }
        while (sink.seen.length < frames.length) assert.equal(reader.goOn(), 'ok');
        assert.deepEqual(sink.seen, frames.map(described));
        assert.deepEqual([pool.lent, reader.heldBytes], [0, 0]);
      }),
    );
  });

  it('nothing comes while it is stopped, nor after the end', () => {
    const sink = new Frames();
    const pool = new FrameBufferPool();
    const reader = new FrameReader(sink, pool);
    reader.stop();
    reader.read(Buffer.concat([PREFACE, frame(1, 0, 1), frame(2, 0, 1), frame(3, 0, 1, Buffer.alloc(10)).subarray(0, 12)]));
    assert.equal(sink.seen.length, 0);
    sink.onFrame = () => reader.end();
    reader.goOn();
    assert.equal(sink.seen.length, 1);
    reader.read(frame(4, 0, 1));
    reader.goOn();
    assert.deepEqual([sink.seen.length, pool.lent, reader.heldBytes], [1, 0, 0]);
  });

  it('a frame that ends in a later chunk may be the last: its buffer goes back', () => {
    const sink = new Frames();
    const pool = new FrameBufferPool();
    const reader = new FrameReader(sink, pool);
    reader.read(Buffer.concat([PREFACE, frame(1, 0, 1, Buffer.alloc(10)).subarray(0, 12)]));
    assert.equal(pool.lent, 1);
    sink.onFrame = () => reader.end();
    reader.read(Buffer.alloc(100));
    assert.deepEqual([sink.seen.length, pool.lent], [1, 0]);
  });

  it('a frame that is too large is refused by its length alone, also when that comes in pieces', () => {
    const large = frame(0, 0, 1, Buffer.alloc(0), 16_385);
    for (const cut of [0, 1, 3, 8]) {
      const reader = new FrameReader(new Frames(), new FrameBufferPool());
      reader.read(Buffer.concat([PREFACE, large.subarray(0, cut)]));
      assert.equal(reader.read(large.subarray(cut)), 'frame-too-large');
    }
  });

  it('another preface is refused at its first wrong byte', () => {
    for (let i = 0; i < PREFACE.length; i++) {
      const reader = new FrameReader(new Frames(), new FrameBufferPool());
      assert.equal(reader.read(PREFACE.subarray(0, i)), 'ok');
      assert.equal(reader.read(Uint8Array.of((PREFACE[i] as number) ^ 1)), 'bad-preface');
    }
  });
});
