/**
 * The log, judged by what a version of the tree holds: damage below `coveredThrough` is of no
 * consequence, because tables have it.
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import { DurableLog, type OpenedLog } from '../log/durable-log.js';

export class LogOpener {
  readonly #env: Env;
  readonly #segmentBytes: number;

  constructor(env: Env, segmentBytes: number) {
    this.#env = env;
    this.#segmentBytes = segmentBytes;
  }

  /**
   * `minCommitKnown`: what is known to be committed besides what the log says. Rejects with
   * LogError, DiskError.
   */
  open(coveredThrough: LogIndex, minCommitKnown: LogIndex): Promise<OpenedLog> {
    assert(minCommitKnown === 0 || coveredThrough <= minCommitKnown, `S1 tables hold what was committed: ${coveredThrough} of ${minCommitKnown}`);
    return DurableLog.open(this.#env, { segmentBytes: this.#segmentBytes, coveredThrough, minCommitKnown });
  }
}
