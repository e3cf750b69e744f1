import assert from 'node:assert/strict';
import { KiB } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import { encodeInternalKey } from '../../storage/base/key.js';
import { SMALL_FORMAT } from '../../storage/testing/tree-harness.js';
import type { ProducedTable } from '../../storage/table/table-meta.js';
import type { Tree } from '../../storage/tree/tree.js';
import { MemberState } from '../state/testing/member-state.js';
import { bodyOf } from '../wire/frame.js';
import { Agreement, decodeReport } from './agreement.js';
import { Reports } from './reports.js';

/** Keys of zeros are twice as long inside. */
const LONGEST = encodeInternalKey(1, new Uint8Array(60 * KiB), 9, 0);

function outputs(count: number): ProducedTable[] {
  return Array.from({ length: count }, (_, ordinal): ProducedTable => ({
    birth: { term: 1, proposer: 1, sequence: 7, ordinal }, bytes: 1 << 20, rootDigest: 'a'.repeat(32), fileDigest: 'b'.repeat(32),
    smallest: LONGEST, largest: LONGEST, entries: 1, tombstones: 0, minRevision: 9, maxRevision: 9, liveDelta: 1,
    scheme: SMALL_FORMAT.scheme,
  }));
}

describe('reports on their way to the leader', () => {
  it('C1 bounds that no edit could hold are reported as a plan that cannot be carried out, to a peer and to oneself', () => {
    for (const [count, said] of [[128, 'produced'], [300, 'failed']] as const) {
      const state = new MemberState(1);
      const agreement = new Agreement(state.membership);
      const sent: Uint8Array[] = [];
      const env = { network: { send: (_to: number, bytes: Uint8Array) => void sent.push(bytes) } } as unknown as Env;
      const tree = { latest: { isPending: () => true } } as unknown as Tree;
      const reports = new Reports({ env, tree, leadership: state.leadership, agreement });
      state.lead(2, 1);
      reports.send({ sequence: 7, outcome: { kind: 'produced', tables: outputs(count) } });
      const report = decodeReport(bodyOf(sent[0] as Uint8Array));
      assert.equal(report.outcome.kind, said);
      state.lead(1, 2);
      reports.send({ sequence: 7, outcome: { kind: 'produced', tables: outputs(count) } });
      agreement.record(2, report);
      assert.equal(agreement.verdict(7).kind, said === 'produced' ? 'agreed' : 'failed');
    }
  });
});
