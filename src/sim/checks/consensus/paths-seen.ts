/**
 * Counts the ways through the write path that a run must have gone, so that a world in which one of
 * them no longer occurs is noticed: `sim:coverage` fails over a path that no run went. It judges
 * nothing.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import type { Coverage } from '../../model/coverage.js';
import { PATHS } from '../../model/paths.js';
import type { WatchedNode } from '../../cluster/watched-node.js';
import { MSG_APP, type MessageHead } from './raft-frames.js';

const SEGMENT = /^log\/[0-9a-f]+\.seg$/;

export class PathsSeen {
  readonly #coverage: Coverage;
  readonly #segmentBytes: number;

  constructor(coverage: Coverage, segmentBytes: number) {
    this.#coverage = coverage;
    this.#segmentBytes = segmentBytes;
  }

  /** When it is sent. */
  onMessage(node: WatchedNode, { type, index, entries, commit }: MessageHead): void {
    const log = node.running?.replica.log;
    if (type !== MSG_APP || log === undefined) return;
    const last = log.lastIndex();
    if (index + entries > last) this.#coverage.branch(PATHS.sentBeforeWritten);
    if (commit > last) this.#coverage.branch(PATHS.committedBeforeWritten);
  }

  onEvent(event: KintsugiEvent): void {
    if (event.type === 'leader-lost' && event.why.startsWith('its own disk')) this.#coverage.branch(PATHS.stalledLeaderGaveUp);
    if (event.type === 'warning' && event.message.startsWith('an entry in this leader')) this.#coverage.branch(PATHS.badCopyGaveUp);
  }

  /** Now and then. */
  look({ disk }: WatchedNode): void {
    if (disk.list().some(({ path, bytes }) => bytes > this.#segmentBytes && SEGMENT.test(path))) this.#coverage.branch(PATHS.largerSegment);
  }
}
