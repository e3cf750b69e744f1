import assert from 'node:assert/strict';
import { CodecError } from '../../base/errors.js';
import { makeTable, formatWith, sampleEntries } from '../../storage/table/testing/sample-tables.js';
import type { ProducedTable } from '../../storage/table/table-meta.js';
import { decodeReport, encodeReport } from './agreement.js';

function output(sequence: number, ordinal: number): ProducedTable {
  return makeTable(sampleEntries(20), formatWith('rs(4,2)', 512), 1, { term: 1, proposer: 1, sequence, ordinal }).meta;
}

describe('reports of what was produced', () => {
  it('read back', () => {
    for (const outcome of [{ kind: 'failed', why: 'lost' }, { kind: 'produced', tables: [output(7, 0), output(7, 1)] }] as const) {
      const report = decodeReport(encodeReport({ sequence: 7, outcome }));
      assert.equal(report.sequence, 7);
      assert.equal(report.outcome.kind, outcome.kind);
      assert.deepEqual(encodeReport(report), encodeReport({ sequence: 7, outcome }));
    }
  });

  it('S6 that name outputs of another plan, or out of order, are refused where they come in', () => {
    for (const tables of [[output(8, 0)], [output(7, 1)], [output(7, 1), output(7, 0)]]) {
      assert.throws(() => decodeReport(encodeReport({ sequence: 7, outcome: { kind: 'produced', tables } })), CodecError);
    }
  });
});
