/**
 * Brings what this member produced to whoever leads: into its own agreement, or over the network. A
 * report may be lost, so all that wait for an edit are sent again now and then, and to each new
 * leader. Nothing is said of a seal or plan that is pending no more.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import type { Tree } from '../../storage/tree/tree.js';
import { MAX_ENTRY_BYTES } from '../base/limits.js';
import type { Leadership } from '../state/leadership.js';
import { FRAME_REPORT, frame } from '../wire/frame.js';
import { encodeReport, type Agreement, type Report } from './agreement.js';

/** The inputs of the plan stand in it too, some twenty bytes each. */
const EDIT_BYTES_MAX = MAX_ENTRY_BYTES - MiB;

export interface ReportsParts {
  readonly env: Env;
  readonly tree: Tree;
  readonly leadership: Pick<Leadership, 'self' | 'leader'>;
  readonly agreement: Agreement;
}

export class Reports {
  readonly #parts: ReportsParts;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  send(report: Report): void {
    const { env, tree, leadership, agreement } = this.#parts;
    const { leader, self } = leadership;
    if (!tree.latest.isPending(report.sequence)) return;
    const { sequence, outcome } = report;
    assert(outcome.kind === 'failed' || outcome.tables.every(({ birth }) => birth.sequence === sequence), `S6 what is reported for entry ${sequence} was produced for it`);
    const [said, body] = encodable(report);
    if (leader === self) agreement.record(self, said);
    else if (leader !== 0) env.network.send(leader, frame(FRAME_REPORT, body));
  }
}

/**
 * C1 What is reported becomes an edit, which is an entry of the log: more than that holds is not
 * agreed on, and the plan is given up. The same on all members: equal outputs have equal bounds.
 */
function encodable(report: Report): readonly [report: Report, body: Uint8Array] {
  const body = encodeReport(report);
  if (body.length <= EDIT_BYTES_MAX) return [report, body];
  const failed: Report = { sequence: report.sequence, outcome: { kind: 'failed', why: `bounds of ${body.length} bytes do not fit into an edit` } };
  return [failed, encodeReport(failed)];
}
