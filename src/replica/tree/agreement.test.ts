import assert from 'node:assert/strict';
import { CodecError } from '../../base/errors.js';
import { makeTable, formatWith, sampleEntries } from '../../storage/table/testing/sample-tables.js';
import type { ProducedTable } from '../../storage/table/table-meta.js';
import { Agreement, decodeReport, encodeReport } from './agreement.js';

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

  it('S6 that differ are open while others may decide, split once all have said, and agreed on by a majority alone', () => {
    const agreement = new Agreement({ voters: [1, 2, 3, 4, 5], isQuorum: (ids) => ids.size >= 3 });
    const [one, two] = [output(7, 0), makeTable(sampleEntries(21), formatWith('rs(4,2)', 512), 1, { term: 1, proposer: 1, sequence: 7, ordinal: 0 }).meta];
    const say = (from: number, table: ProducedTable | undefined): string => {
      agreement.record(from, { sequence: 7, outcome: table ? { kind: 'produced', tables: [table] } : { kind: 'failed', why: 'lost' } });
      return agreement.verdict(7).kind;
    };
    assert.deepEqual([say(1, one), say(2, undefined), say(3, two), say(2, one), say(4, two)], ['pending', 'pending', 'open', 'open', 'open']);
    assert.deepEqual(agreement.verdict(7), { kind: 'open', nodes: [1, 2, 3, 4] });
    assert.equal(say(5, undefined), 'split');
    assert.equal(say(5, one), 'agreed');
    agreement.forget(7);
    assert.deepEqual([say(1, one), say(2, two)], ['pending', 'open']);
  });

  it('S6 that name outputs of another plan, or out of order, are refused where they come in', () => {
    for (const tables of [[output(8, 0)], [output(7, 1)], [output(7, 1), output(7, 0)]]) {
      assert.throws(() => decodeReport(encodeReport({ sequence: 7, outcome: { kind: 'produced', tables } })), CodecError);
    }
  });
});
