import assert from 'node:assert/strict';
import { BATCH_HEADER, BatchEncoder, decodeBatchHeader, decodeRecordHead, type BatchContext } from './batch-codec.js';
import { decodeIdentities, identityBound, IdentityEncoder } from './identity-codec.js';
import { generationSeed } from './segment-layout.js';
import { someEntries } from './testing/log-fixture.js';

const CONTEXT: BatchContext = {
  generation: 7, sequence: 2 ** 40 + 3, synced: 2 ** 40 + 2, previousIndex: 2 ** 52, previousTerm: 2 ** 33,
  commit: 5, snapshotThrough: 9, reset: true, ended: true,
};

describe('batches and identities', () => {
  it('R6 are read as written, in the generation they were written in and in no other', () => {
    const entries = [...someEntries(11, 3, 4), ...someEntries(14, 2, 6)];
    const seed = generationSeed(7);
    const encoder = new BatchEncoder();
    const bytes = encoder.encode(CONTEXT, seed, entries, 0, 5).slice();
    const view = new DataView(bytes.buffer);
    const header = decodeBatchHeader(bytes, view, 0, seed, 7);
    assert.deepEqual(header, { ...CONTEXT, count: 5, length: bytes.length - BATCH_HEADER });
    const head = decodeRecordHead(bytes, view, BATCH_HEADER, bytes.length, seed);
    assert.deepEqual(head, { index: 11, term: 4, type: 'normal', dataLength: 40 });
    assert.equal(decodeBatchHeader(bytes, view, 0, generationSeed(8), 8), undefined);
    assert.equal(decodeBatchHeader(bytes, view, 0, seed, 8), undefined);
    assert.equal(decodeRecordHead(bytes, view, BATCH_HEADER, bytes.length, generationSeed(8)), undefined);

    const identities = new IdentityEncoder();
    identities.add(CONTEXT, seed, 4096, entries, 0, 5, encoder.lengths, encoder.checksums);
    assert.ok(identities.length <= identityBound(5));
    const area = identities.view().slice();
    const [identity] = decodeIdentities(area, 0, area.length, seed, 7);
    assert.deepEqual([identity?.at, identity?.end], [0, area.length]);
    assert.deepEqual([identity?.sequence, identity?.offset, identity?.previousIndex, identity?.previousTerm, identity?.reset],
      [CONTEXT.sequence, 4096, CONTEXT.previousIndex, CONTEXT.previousTerm, true]);
    assert.deepEqual([identity?.terms, identity?.lengths], [[4, 4, 4, 6, 6], [68, 68, 68, 68, 68]]);
    assert.deepEqual(decodeIdentities(area, 0, area.length, generationSeed(8), 8), []);
    assert.deepEqual(decodeIdentities(area, 0, area.length, generationSeed(8), 7), []);

    const both = encoder.encode(CONTEXT, seed, entries, 0, 5, area).slice();
    assert.deepEqual(both, Uint8Array.from([...area, ...bytes]), 'a batch behind identities is the same batch');
  });
});
