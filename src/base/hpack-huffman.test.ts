import assert from 'node:assert/strict';
import fc from 'fast-check';
import { toHex } from './bytes.js';
import { huffmanCode, huffmanDecode, huffmanEncode, huffmanSymbol } from './hpack-huffman.js';

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

  it('reads back every symbol that it has', () => {
    let symbols = 0;
    for (let byte = 0; byte < 128; byte++) {
      const symbol = String.fromCharCode(byte);
      const known = huffmanCode(symbol);
      if (known === undefined) continue;
      symbols++;
      assert.equal(huffmanSymbol(known.code, known.bits), symbol);
      assert.equal(huffmanDecode(huffmanEncode(symbol)), symbol);
    }
    // All printable ones but the backslash, whose code is longer; and NUL.
    assert.equal(symbols, 95);
  });

  it('reads back every text of printable symbols', () => {
    const symbols = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter((c) => c !== '\\');
    const texts = fc.string({ unit: fc.constantFrom(...symbols) });
    fc.assert(fc.property(texts, (text) => assert.equal(huffmanDecode(huffmanEncode(text)), text)));
  });

  it('stops at a code that is not in the table', () => {
    assert.equal(huffmanDecode(Uint8Array.of(0xff, 0xff, 0xff)), '...');
  });
});
