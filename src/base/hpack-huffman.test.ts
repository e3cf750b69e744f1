import assert from 'node:assert/strict';
import fc from 'fast-check';
import { toHex } from './bytes.js';
import { END_OF_STRING, HUFFMAN_CODES, huffmanBytes, huffmanDecode, huffmanEncode } from './hpack-huffman.js';

describe("HPACK's Huffman code", () => {
  /** RFC 7541, C.4 and C.6. */
  const VECTORS: readonly (readonly [string, string])[] = [
    ['www.example.com', 'f1e3c2e5f23a6ba0ab90f4ff'],
    ['no-cache', 'a8eb10649cbf'],
    ['custom-key', '25a849e95ba97d7f'],
    ['custom-value', '25a849e95bb8e8b4bf'],
    ['302', '6402'],
    ['private', 'aec3771a4b'],
    ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07abe941054d444a8200595040b8166e082a62d1bff'],
    ['https://www.example.com', '9d29ad171863c78f0b97c8e9ae82ae43d3'],
    ['gzip', '9bd9ab'],
    ['foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
      '94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007'],
  ];

  for (const [text, hex] of VECTORS) {
    it(`gives the bytes of RFC 7541 for ${text}`, () => {
      assert.equal(toHex(huffmanEncode(text)), hex);
      assert.equal(huffmanDecode(Uint8Array.from(Buffer.from(hex, 'hex'))), text);
    });
  }

  it('has a code for every byte and for the end of a string, and no string of bits has two meanings', () => {
    assert.equal(HUFFMAN_CODES.length, 257);
    // Kraft: with equality, codes of which none begins another leave no string of bits without one.
    assert.equal(HUFFMAN_CODES.reduce((sum, { bits }) => sum + 2 ** -bits, 0), 1);
    const codes = HUFFMAN_CODES.map(({ code, bits }) => code.toString(2).padStart(bits, '0')).sort();
    codes.forEach((code, i) => assert.ok(i === 0 || !code.startsWith(codes[i - 1] ?? '')));
    assert.deepEqual(HUFFMAN_CODES[END_OF_STRING], { code: 0x3fffffff, bits: 30 });
  });

  it('has the codes of RFC 7541, appendix B, at the ends of its lengths', () => {
    const rows: readonly (readonly [byte: number, code: number, bits: number])[] = [
      [0, 0x1ff8, 13], [1, 0x7fffd8, 23], [10, 0x3ffffffc, 30], [22, 0x3ffffffe, 30], [32, 0x14, 6], [48, 0x0, 5], [92, 0x7fff0, 19],
      [116, 0x9, 5], [128, 0xfffe6, 20], [195, 0x7fff1, 19], [199, 0x1ffffec, 25], [203, 0x7ffffde, 27], [220, 0xffffffd, 28],
      [249, 0xffffffe, 28], [254, 0x7fffff0, 27], [255, 0x3ffffee, 26],
    ];
    for (const [byte, code, bits] of rows) assert.deepEqual(HUFFMAN_CODES[byte], { code, bits }, `code of ${byte}`);
  });

  it('reads back every text of bytes, in as many bytes as it said', () => {
    const texts = fc.string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)) });
    fc.assert(
      fc.property(texts, (text) => {
        const coded = huffmanEncode(text);
        assert.equal(huffmanDecode(coded), text);
        assert.equal(coded.length, huffmanBytes(text));
      }),
    );
  });

  it('fills the last byte with ones', () => {
    assert.deepEqual(huffmanEncode('0'), Uint8Array.of(0b0000_0111));
    assert.deepEqual(huffmanEncode('00000000'), Uint8Array.of(0, 0, 0, 0, 0));
  });

  it('stops where a string is ended before its bytes are', () => {
    assert.equal(huffmanDecode(Uint8Array.of(0x07, 0xff, 0xff, 0xff, 0xff)), '0...');
  });
});
