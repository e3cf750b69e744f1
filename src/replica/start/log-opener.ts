/**
 * The log, judged by a version of the tree: damage up to its flushed index is of no consequence,
 * because tables have it.
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
   * `knownCommit`: committed whatever the log says; 0: not known. Rejects with LogError, DiskError.
   */
  open(flushedIndex: LogIndex, knownCommit: LogIndex): Promise<OpenedLog> {
    assert(knownCommit === 0 || flushedIndex <= knownCommit, `S1 tables hold what was committed: ${flushedIndex} of ${knownCommit}`);
    return DurableLog.open(this.#env, { segmentBytes: this.#segmentBytes, flushedIndex, knownCommit });
  }
}
