import assert from 'node:assert/strict';
import fc from 'fast-check';
import { huffmanEncode } from '../../base/hpack-huffman.js';
import { decodedRoom, huffmanDecodeInto } from './huffman-decoder.js';
import { plainHuffmanEncode } from './testing/plain-hpack.js';

/** The text of coded bytes, which lie between others; undefined if it is broken. */
function decode(coded: Uint8Array): string | undefined {
  const around = new Uint8Array(coded.length + 2).fill(0x55);
  around.set(coded, 1);
  const to = Buffer.alloc(decodedRoom(coded.length));
  const n = huffmanDecodeInto(around, 1, 1 + coded.length, to);
  return n < 0 ? undefined : to.toString('latin1', 0, n);
}

/** Bytes of bits. */
const bytes = (bits: string): Uint8Array =>
  Uint8Array.from((bits.replaceAll(' ', '').match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));

const EVERY_BYTE = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));

describe("reading HPACK's Huffman code", () => {
  it('knows every byte, alone and after every other', () => {
    for (const byte of EVERY_BYTE) assert.equal(decode(huffmanEncode(byte)), byte);
    for (const first of EVERY_BYTE) {
      const text = EVERY_BYTE.map((second) => first + second).join('');
      assert.equal(decode(huffmanEncode(text)), text);
    }
  });

  it('reads any text that a plain encoder writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...EVERY_BYTE), maxLength: 200 }), (text) => {
        assert.equal(decode(Uint8Array.from(plainHuffmanEncode(text))), text);
      }),
    );
  });

  it('has room for the shortest codes', () => {
    for (let n = 0; n < 40; n++) assert.equal(decode(huffmanEncode('0'.repeat(n))), '0'.repeat(n));
  });

  // 5.2: padding longer than 7 bits is an error, and so is one that is no prefix of the EOS.
  it('takes up to seven ones as padding', () => {
    assert.equal(decode(bytes('00000 111')), '0');
    // 'a' is 00011, 'b' 100011, 'z' 1111011, '&' 11111000.
    assert.equal(decode(bytes('100011 11')), 'b');
    assert.equal(decode(bytes('1111011 1')), 'z');
    assert.equal(decode(bytes('11111000')), '&');
    assert.equal(decode(bytes('00011 00011 00011 00011 00011 1111111')), 'aaaaa');
  });

  it('refuses eight ones or more', () => {
    assert.equal(decode(bytes('11111111')), undefined);
    assert.equal(decode(bytes('11111000 11111111')), undefined);
    assert.equal(decode(bytes('00000 111 11111111')), undefined);
    assert.equal(decode(bytes('00011 00011 00011 00011 00011 1111111 11111111')), undefined);
  });

  it('refuses padding that is not all ones', () => {
    assert.equal(decode(bytes('00000 000')), undefined);
    assert.equal(decode(bytes('00000 110')), undefined);
    assert.equal(decode(bytes('1111011 0')), undefined);
    assert.equal(decode(bytes('00011 00011 00011 00011 00011 1111110')), undefined);
  });

  it('refuses the end of string, wherever it is', () => {
    const eos = '1'.repeat(30);
    assert.equal(decode(bytes(`${eos} 11`)), undefined);
    assert.equal(decode(bytes(`${eos} 00000 11111`)), undefined);
    assert.equal(decode(bytes(`00000 ${eos} 00000`)), undefined);
  });

  it('is the empty text of no bytes', () => assert.equal(decode(new Uint8Array(0)), ''));
});
