import assert from 'node:assert/strict';
import { codeOf } from '../base/errors.js';
import { decodeBatchHeader } from '../replica/log/batch-codec.js';
import { findIdentities } from '../replica/log/find-identities.js';
import { decodeHeader, generationSeed, layoutOf } from '../replica/log/segment-layout.js';
import { decodeSlot, SLOT_BYTES } from '../replica/hard-state/slots.js';
import { readHeader } from '../storage/block/header.js';
import { decodeFooter } from '../storage/table/footer.js';
import { readFrame } from '../storage/version/manifest-record.js';
import { decodeHintFile } from './hints/hint-file.js';

/** The checksum of nothing but zeros must not be zeros: what was never written says nothing. */
describe('bytes that are all zero', () => {
  for (const byte of [0, 0xff]) {
    it(`S4 R5 R6 are no record, slot, frame, header or footer of any file (${byte})`, () => {
      const bytes = new Uint8Array(64 * 1024).fill(byte);
      const view = new DataView(bytes.buffer);
      for (const generation of [0, 1, 7]) {
        const seed = generationSeed(generation);
        assert.equal(decodeBatchHeader(bytes, view, 0, seed, generation), undefined);
        assert.deepEqual(findIdentities(bytes, layoutOf(bytes.length), seed, generation), []);
      }
      assert.equal(decodeHeader(bytes, 0), undefined);
      for (let slot = 0; slot < 4; slot++) assert.equal(decodeSlot(bytes.subarray(0, SLOT_BYTES), slot), undefined);
      assert.equal(readFrame(bytes, 0), undefined);
      assert.equal(readHeader(bytes, 0), undefined);
      for (const decode of [decodeHintFile, decodeFooter]) {
        assert.throws(() => decode(bytes), (error) => codeOf(error) === 'CODEC', decode.name);
        assert.throws(() => decode(new Uint8Array(0)), (error) => codeOf(error) === 'CODEC', decode.name);
      }
    });
  }
});
