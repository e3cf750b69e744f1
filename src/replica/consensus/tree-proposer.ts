/**
 * The way of a tree op into the log. S3: only a leader that has applied an entry of its own term
 * appends one; it is never forwarded and never proposed again by somebody else.
 */

import { assert } from '../../base/assert.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import { encodeTreeOp } from '../entry/entry.js';
import type { Leadership } from '../state/leadership.js';
import type { RaftDriver } from './raft-driver.js';

export class TreeProposer {
  readonly #leadership: Leadership;
  readonly #driver: RaftDriver;

  constructor(leadership: Leadership, driver: RaftDriver) {
    this.#leadership = leadership;
    this.#driver = driver;
  }

  /** False if this member may not, or the log refuses for now. The outcome is seen at apply. */
  propose(op: TreeOp): boolean {
    if (!this.#leadership.mayShapeTree) return false;
    assert(!('proposer' in op) || op.proposer === this.#leadership.self, 'S3 nobody proposes a tree op in the name of another');
    return this.#driver.proposeAsLeader(encodeTreeOp(op));
  }
}
