import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CodecError } from '../../base/errors.js';
import { CHUNK_BYTES, FrameAssembler, FrameCutter, type Chunk } from './chunks.js';

function chunksOf(cutter: FrameCutter, frame: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  cutter.begin(frame);
  while (cutter.frame !== undefined) chunks.push(joined(cutter.next()));
  return chunks;
}

function joined({ head, bytes }: Chunk): Uint8Array {
  return Buffer.concat([head, bytes]);
}

function frameOf(bytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8) + seed) & 255);
}

describe('frames in chunks', () => {
  it('come together again, whatever their size', () => {
    const cutter = new FrameCutter();
    const assembler = new FrameAssembler(4 * CHUNK_BYTES);
    for (const bytes of [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 4 * CHUNK_BYTES]) {
      const frame = frameOf(bytes, bytes);
      const chunks = chunksOf(cutter, frame);
      assert.equal(chunks.length, Math.ceil(bytes / CHUNK_BYTES));
      const whole = chunks.map((chunk) => assembler.take(chunk)).filter((got) => got !== undefined);
      assert.deepEqual(whole, [frame]);
      assert.equal(assembler.heldBytes, 0);
    }
  });

  it('one that is larger than is taken is refused with its first chunk, before anything is held', () => {
    const assembler = new FrameAssembler(2 * CHUNK_BYTES);
    const [first = new Uint8Array(0)] = chunksOf(new FrameCutter(), frameOf(2 * CHUNK_BYTES + 1, 3));
    assert.throws(() => assembler.take(first), CodecError);
    assert.equal(assembler.heldBytes, 0);
  });

  it('lost, repeated, swapped and damaged chunks are refused, and never make a wrong frame', () => {
    const frames = [frameOf(3 * CHUNK_BYTES + 5, 1), frameOf(2 * CHUNK_BYTES, 2)];
    const cutter = new FrameCutter();
    const sound = frames.flatMap((frame) => chunksOf(cutter, frame));
    const step = fc.record({ kind: fc.constantFrom('lost', 'twice', 'swapped', 'bit', 'short', 'format'), at: fc.nat(), bit: fc.nat() });
    fc.assert(fc.property(step, ({ kind, at, bit }) => {
      const chunks: Uint8Array[] = sound.map((chunk) => chunk.slice());
      const i = at % chunks.length;
      const chunk = chunks[i] as Uint8Array;
      if (kind === 'lost') chunks.splice(i, 1);
      if (kind === 'twice') chunks.splice(i, 0, chunk);
      if (kind === 'swapped') chunks.splice(i, 2, ...chunks.slice(i, i + 2).reverse());
      if (kind === 'bit') (chunk[(bit >> 3) % chunk.length] as number) ^= 1 << (bit & 7);
      if (kind === 'short') chunks[i] = chunk.subarray(0, bit % chunk.length);
      if (kind === 'format') chunk[0] = 2;
      const assembler = new FrameAssembler(4 * CHUNK_BYTES);
      const got: Uint8Array[] = [];
      let refused = false;
      try {
        for (const one of chunks) {
          const frame = assembler.take(one);
          if (frame !== undefined) got.push(frame);
        }
      } catch (error) {
        assert.ok(error instanceof CodecError);
        refused = true;
      }
      got.forEach((frame, n) => assert.ok(Buffer.from(frame).equals(frames[n] as Uint8Array)));
      // The last chunk alone may be missing unnoticed: then its frame never ends.
      assert.ok(refused || got.length < frames.length || harmless(kind, i, bit, chunks));
    }), { numRuns: 150 });
  }).timeout(20_000);
});

/** Swapping the last chunk with nothing, or a bit of what no one reads. */
function harmless(kind: string, at: number, bit: number, chunks: readonly Uint8Array[]): boolean {
  if (kind === 'swapped') return at === chunks.length - 1;
  const byte = (bit >> 3) % (chunks[at]?.length ?? 1);
  return kind === 'bit' && byte > 0 && byte < 4;
}
