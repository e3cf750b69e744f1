import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteWriter } from '../../base/bytes.js';
import { BlockReader } from './block-reader.js';
import { writeInteger, writeString } from './block-writer.js';
import { plainInteger } from './testing/plain-hpack.js';

/** A reader of these bytes, which lie between others that must not be read. */
function readerOf(...bytes: readonly number[]): BlockReader {
  const reader = new BlockReader();
  reader.open(Uint8Array.from([0x00, ...bytes, 0x00, 0x00, 0x00]), 1, 1 + bytes.length);
  return reader;
}

function written(write: (out: ByteWriter) => void): number[] {
  const out = new ByteWriter();
  write(out);
  return [...out.finish()];
}

describe('integers and strings of a header block', () => {
  it('RFC 7541 C.1: the examples of integers', () => {
    const examples: readonly (readonly [value: number, bits: number, bytes: readonly number[]])[] = [
      [10, 5, [0x0a]],
      [1337, 5, [0x1f, 0x9a, 0x0a]],
      [42, 8, [0x2a]],
    ];
    for (const [value, bits, bytes] of examples) {
      assert.equal(readerOf(...bytes).integer(bits), value);
      assert.deepEqual(written((out) => writeInteger(out, { flags: 0, bits }, value)), bytes);
    }
  });

  it('an integer is read as it was written, whatever its prefix', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(300), fc.nat(2 ** 28)), fc.integer({ min: 4, max: 7 }), (value, bits) => {
        const flags = 0x100 - 2 ** bits;
        const bytes = written((out) => writeInteger(out, { flags, bits }, value));
        assert.deepEqual(bytes, plainInteger(flags, bits, value));
        const reader = readerOf(...bytes);
        assert.equal(reader.integer(bits), value);
        assert.ok(reader.done);
      }),
    );
  });

  it('an integer at the end of its prefix, or of a byte, is written as long as it must be', () => {
    for (const bits of [4, 5, 6, 7]) {
      const most = 2 ** bits - 1;
      for (const value of [0, most - 1, most, most + 1, most + 127, most + 128, most + 16_383, most + 16_384]) {
        const bytes = written((out) => writeInteger(out, { flags: 0, bits }, value));
        assert.deepEqual(bytes, plainInteger(0, bits, value));
        assert.equal(readerOf(...bytes).integer(bits), value);
      }
    }
  });

  it('an integer that ends early, or never, is none', () => {
    assert.equal(readerOf().integer(7), -1);
    assert.equal(readerOf(0xff).integer(7), -1);
    assert.equal(readerOf(0xff, 0x80).integer(7), -1);
    assert.equal(readerOf(0xff, 0x80, 0x80, 0x80).integer(7), -1);
    assert.equal(readerOf(0xff, 0x80, 0x80, 0x80, 0x80, 0x00).integer(7), -1);
    assert.equal(readerOf(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f).integer(7), -1);
  });

  it('the largest integer that is taken has four bytes after the first, zeros at its end or not', () => {
    assert.equal(readerOf(0xff, 0xff, 0xff, 0xff, 0x7f).integer(7), 127 + 2 ** 28 - 1);
    assert.equal(readerOf(0xff, 0x80, 0x80, 0x80, 0x00).integer(7), 127);
  });

  it('a string is read as it was written, coded or not', () => {
    const byte = fc.nat(255).map((code) => String.fromCharCode(code));
    fc.assert(
      fc.property(fc.string({ unit: fc.oneof(byte, fc.constantFrom('a', 'e', '/')), maxLength: 3000 }), (text) => {
        const bytes = written((out) => writeString(out, text));
        const reader = readerOf(...bytes);
        assert.equal(reader.text(), text);
        assert.ok(reader.done);
        assert.ok(bytes.length <= text.length + 4, 'never coded to its disadvantage');
      }),
    );
  });

  it('texts on both sides of every size that is treated apart come out whole', () => {
    for (const length of [0, 1, 5, 6, 7, 8, 1023, 1024, 1025, 5000]) {
      const plain = Array.from({ length }, (_, i) => 0x80 + (i % 0x70));
      const text = String.fromCharCode(...plain);
      assert.equal(readerOf(...plainInteger(0, 7, length), ...plain).text(), text);
      const coded = readerOf(...written((out) => writeString(out, 'e'.repeat(length))));
      assert.equal(coded.text(), 'e'.repeat(length));
    }
  });

  it('a string whose bytes are not all there is none, and nothing is made for its length', () => {
    assert.equal(readerOf().text(), undefined);
    assert.equal(readerOf(0x02, 0x61).text(), undefined);
    assert.equal(readerOf(0x82, 0x1f).text(), undefined);
    assert.equal(readerOf(0x7f, 0xff, 0xff, 0xff, 0x7f, 0x61).text(), undefined);
    assert.equal(readerOf(0xff, 0xff, 0xff, 0xff, 0x7f, 0x61).text(), undefined);
  });
});
