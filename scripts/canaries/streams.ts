/** Canaries in watches and leases: what only runs with clients that watch and hold leases find. */

import type { Canary } from './canary.js';

const TOLD_ALL = ['a watch is told all', 'a watch is told what was', 'a watch is told once', 'a watch is told in order'];

const WATCHES: readonly Canary[] = [
  {
    name: 'watch-resumes-one-revision-early',
    what: 'A watch that begins in the past is told of the revision before, too, which a client that goes on has seen.',
    breaks: 'W1',
    profile: 'table+streams',
    expectedChecks: ['a watch is told once'],
    edits: [
      {
        file: 'replica/watch/watch-requests.ts',
        find: 'startRevision === 0 ? revision + 1 : startRevision, sub: 0 }',
        replace: 'startRevision === 0 ? revision + 1 : Math.max(1, kv.compactRevision, startRevision - 1), sub: 0 }',
      },
    ],
  },
  {
    name: 'watch-progress-before-it-is-told',
    what: 'A request for progress is answered although watchers of the stream lag behind.',
    breaks: 'W1',
    profile: 'table+streams',
    expectedChecks: TOLD_ALL,
    edits: [
      {
        file: 'replica/watch/watch-hub.ts',
        find: 'if (!this.#isTold(watcher)) return;',
        replace: 'if (!this.#isTold(watcher) && watcher.ended) return;',
      },
    ],
  },
  {
    name: 'watch-filter-inverted',
    what: 'A watcher that wants no puts gets puts and no deletes.',
    breaks: 'W1',
    profile: 'table+streams',
    expectedChecks: ['a watch is told what it asked for'],
    edits: [
      {
        file: 'replica/watch/watcher.ts',
        find: '(tombstone ? this.noDelete : this.noPut)',
        replace: '(tombstone ? this.noPut : this.noDelete)',
      },
    ],
  },
  {
    name: 'watch-told-of-a-compaction-that-was-not',
    what: 'A watcher that needs what is compacted is told that all is up to now.',
    breaks: 'W1',
    profile: 'table+streams',
    expectedChecks: ['a watch is told of compactions that were'],
    edits: [
      {
        file: 'replica/watch/watch-requests.ts',
        find: "    stream.answer(canceled(watchId, '', kv.compactRevision));",
        replace: "    stream.answer(canceled(watchId, '', revision));",
      },
    ],
  },
  {
    name: 'slow-watch-without-a-bound',
    what: 'A stream takes events without end for a client that does not read.',
    breaks: 'C1',
    profile: 'table+streams',
    expectedChecks: ['a slow watch holds a bound'],
    edits: [
      {
        file: 'replica/watch/watch-hub.ts',
        find: '    if (!stream.blocked && stream.queued < this.#streamBytes) return false;',
        replace: '    if (!stream.blocked && stream.queued < this.#streamBytes * 1_000) return false;',
      },
    ],
  },
];

const LEASES: readonly Canary[] = [
  {
    name: 'lease-shortened-by-a-change-of-leader',
    what: 'A new leader gives each lease one second, whatever is left of it.',
    breaks: 'R4',
    profile: 'table+streams',
    expectedChecks: ['a lease that is kept alive does not end'],
    edits: [
      {
        file: 'replica/lease/lessor.ts',
        find: 'return new Lease(id, record, now, passed, this.#electionMs);',
        replace: 'return new Lease(id, { ...record, remainingMs: 1_000 }, now, passed);',
      },
    ],
  },
  {
    name: 'lease-never-ends',
    what: 'Nobody proposes the end of a lease whose time is up.',
    breaks: 'R4',
    profile: 'table+streams',
    expectedChecks: ['a lease that is not kept alive ends in time'],
    edits: [{ file: 'replica/lease/lessor.ts', find: '} else if (revokes < REVOKES) {', replace: '} else if (revokes < 0) {' }],
  },
];

export const STREAMS: readonly Canary[] = [...WATCHES, ...LEASES];
