/** Mutants in watches and leases: what their tests meet in every run, a simulation now and then. */

import type { Mutant } from './canary.js';

const HUB = {
  file: 'replica/watch/watch-hub.property.test.ts',
  title: 'W1 each watcher gets each change once, in order, revisions whole, however slow it is and whatever is compacted or replaced',
};
const LESSOR = 'replica/lease/lessor.test.ts';

const WATCHES: readonly Mutant[] = [
  {
    name: 'watch-passes-over-what-its-stream-could-not-take',
    what: 'A watcher whose stream is full falls behind the revision that it could not take.',
    breaks: 'W1',
    killedBy: HUB,
    edits: [
      {
        file: 'replica/watch/deliver.ts',
        find: 'if (hub.isFull(watcher.stream)) hub.fallBehind(watcher, { revision, sub });',
        replace: 'if (hub.isFull(watcher.stream)) hub.fallBehind(watcher, { revision: revision + 1, sub: sub * 0 });',
      },
      {
        file: 'replica/watch/deliver.ts',
        find: '      if (hub.isFull(watcher.stream)) {\n        hub.fallBehind(watcher, { revision, sub });',
        replace: '      if (hub.isFull(watcher.stream)) {\n        hub.fallBehind(watcher, { revision: revision + 1, sub: sub * 0 });',
      },
    ],
  },
  {
    name: 'watch-passes-over-what-is-not-in-memory',
    what: 'Who is told of each revision goes on after those that are not in memory, and reads them nowhere.',
    breaks: 'W1',
    killedBy: HUB,
    edits: [
      {
        file: 'replica/watch/watch-hub.ts',
        find: 'if (watcher.place.revision <= to) this.fallBehind(watcher, { revision, sub: 0 });',
        replace: 'if (watcher.place.revision <= to) this.fallBehind(watcher, { revision: to + 1, sub: 0 });',
      },
    ],
  },
  {
    name: 'watch-is-given-the-begun-revision-again',
    what: 'A watcher that goes on within a revision is given what it had of it once more.',
    breaks: 'W1',
    killedBy: HUB,
    edits: [
      { file: 'replica/watch/watcher.ts', find: '(revision === place.revision && sub >= place.sub)', replace: '(revision === place.revision && sub >= 0)' },
    ],
  },
  {
    name: 'watch-tears-a-transaction',
    what: 'A revision of which a part of history holds only the beginning is sent as if that were all.',
    breaks: 'W1',
    killedBy: HUB,
    edits: [
      {
        file: 'replica/watch/history-reader.ts',
        find: 'watcher.stream.complete(watcher, part.end.revision - 1);',
        replace: 'watcher.stream.complete(watcher, part.end.revision);',
      },
    ],
  },
  {
    name: 'watch-previous-value-of-the-change-itself',
    what: 'What a key was before a change is looked up as of the change, not as of the revision before.',
    breaks: 'W1',
    killedBy: HUB,
    edits: [
      { file: 'replica/watch/read-history.ts', find: 'view.find(USER_SPACE, key, revision - 1, into)', replace: 'view.find(USER_SPACE, key, revision, into)' },
    ],
  },
];

const LEASES: readonly Mutant[] = [
  {
    name: 'lease-leaves-keys-behind',
    what: 'A lease that ends takes none of its keys with it.',
    breaks: 'S2',
    killedBy: { file: 'node/testing/leases.test.ts', title: 'S2 a revoke deletes all keys of the lease in one revision' },
    edits: [{ file: 'replica/kv/leases.ts', find: '  overlay.deleteAtLast(keys);\n', replace: '  overlay.deleteAtLast(new KeyRun());\n' }],
  },
  {
    name: 'keep-alive-of-a-lease-that-is-ending',
    what: 'A keep-alive is acknowledged although the entry that ends the lease is on its way.',
    breaks: 'R4',
    killedBy: { file: LESSOR, title: 'R4 the same of a lease whose time was never written down, because apply could not keep up' },
    edits: [
      {
        file: 'replica/lease/lessor.ts',
        find: 'if (lease.revokedAt !== 0) needed = Math.max(needed, lease.revokedAt);',
        replace: 'if (lease.revokedAt !== 0) needed = Math.max(needed, lease.loggedAt);',
      },
    ],
  },
  {
    name: 'lease-renewed-by-each-change-of-leader',
    what: 'A new leader gives each lease all of its TTL, whatever the log says is left.',
    breaks: 'R4',
    killedBy: { file: LESSOR, title: 'changes of leader do not renew a lease for ever' },
    edits: [
      {
        file: 'replica/lease/lessor.ts',
        find: 'return new Lease(id, record, now, passed, this.#electionMs);',
        replace: 'return new Lease(id, { ...record, remainingMs: 0 }, now, passed * 0, this.#electionMs);',
      },
    ],
  },
  {
    name: 'keep-alive-by-a-leader-that-was-deposed',
    what: 'A keep-alive is answered without asking a majority whether this member still leads.',
    breaks: 'R4',
    killedBy: { file: LESSOR, title: 'R4 a leader that was deposed acknowledges no keep-alive, whether it knows or not' },
    edits: [
      {
        file: 'replica/lease/lessor.ts',
        find: '    if (this.#ready) this.#touch(ids);\n    await reads.confirm();\n',
        replace: '    if (this.#ready) this.#touch(ids);\n    if (!this.#ready) await reads.confirm();\n',
      },
    ],
  },
  {
    name: 'hand-over-with-a-lease-to-be-written-down',
    what: 'A leader that may propose nothing while it hands over ends when the time that is left of a lease is to be written down.',
    breaks: 'C1',
    killedBy: { file: LESSOR, title: 'C1 a leader that is handing over lets nothing end and writes nothing down, and goes on if it keeps its office' },
    edits: [
      {
        file: 'replica/lease/lessor.ts',
        find: "if (!this.#propose({ kind: 'lease-checkpoint', request: { checkpoints } })) return undefined;",
        replace: "if (!this.#propose({ kind: 'lease-checkpoint', request: { checkpoints } })) throw new Error('R4 a leader writes down what is left');",
      },
    ],
  },
];

export const MUTANTS_OF_STREAMS: readonly Mutant[] = [...WATCHES, ...LEASES];
