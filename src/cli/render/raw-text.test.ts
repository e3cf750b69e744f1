import assert from 'node:assert/strict';
import fc from 'fast-check';
import { bytesOfRaw, rawText } from './raw-text.js';

describe('bytes as raw text', () => {
  it('come back as they were, whatever they are', () => {
    const some = fc.array(fc.constantFrom(0x61, 0xc3, 0xa9, 0xed, 0xa0, 0xb2, 0x80, 0xf0, 0x9f, 0x98)).map((all) => Uint8Array.from(all));
    fc.assert(fc.property(fc.oneof(fc.uint8Array(), some), (bytes) => {
      assert.deepEqual(Buffer.from(bytesOfRaw(rawText(Buffer.from(bytes)))), Buffer.from(bytes));
    }));
  });

  it('are the text that they are where they are text', () => {
    for (const text of ['', 'plain', 'é €', '\u{1f600}\ufffd']) {
      assert.equal(rawText(Buffer.from(text)), text);
      assert.deepEqual(Buffer.from(bytesOfRaw(text)), Buffer.from(text));
    }
    assert.equal(rawText(Buffer.from('a\xff\xc3b', 'latin1')), 'a\udcff\udcc3b');
  });
});
