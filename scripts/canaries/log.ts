/** Canaries in what a member keeps of consensus: the log, the hard state, and how long. */

import type { Canary } from './canary.js';

export const LOG: readonly Canary[] = [
  {
    name: 'truncate-at-bad-checksum',
    what: 'The log is cut at the first bad checksum, whatever proves that its entries were synced.',
    breaks: 'R6',
    profile: 'full',
    edits: [
      {
        file: 'replica/log/resolve.ts',
        find: '      const torn = missing ? expected > proven : batch.sequence > proven && batch.records.some((record) => !record.good);',
        replace: '      const torn = missing || batch.records.some((record) => !record.good);',
      },
      {
        file: 'replica/log/resolve.ts',
        find: 'assert(batch.sequence > proven,',
        replace: 'assert(batch.sequence > 0,',
      },
    ],
  },
  {
    name: 'damaged-entry-counts-as-absent',
    what: 'A damaged entry counts as never written unless durable tables hold it, although its identity record and the manifest say that it was.',
    breaks: 'R6',
    profile: 'full',
    edits: [
      {
        file: 'replica/log/resolve.ts',
        find: '      const torn = missing ? expected > proven : batch.sequence > proven && batch.records.some((record) => !record.good);',
        replace: '      const needed = batch.previousIndex >= this.#evidence.flushedIndex;\n' +
          '      const torn = missing ? expected > proven : needed && batch.records.some((record) => !record.good);',
      },
      {
        file: 'replica/log/resolve.ts',
        find: 'assert(batch.sequence > proven,',
        replace: 'assert(batch.sequence > 0,',
      },
      {
        file: 'replica/log/resolve.ts',
        find: '    return knownCommit > this.#snapshotThrough ? knownCommit : 0;',
        replace: '    return knownCommit < 0 ? knownCommit : 0;',
      },
    ],
  },
  {
    name: 'retry-failed-fsync',
    what: 'A failed fsync of the log is tried once more, and the entries count as durable whatever the second one says.',
    breaks: 'R2',
    profile: 'table',
    expectedChecks: ['a failed sync is never retried', 'acknowledged entries survive'],
    edits: [
      {
        file: 'replica/log/log-writer.ts',
        find: '    const { active } = this.#chain;\n    await active.file.sync();',
        replace: '    const { active } = this.#chain;\n    await active.file.sync().catch(() => active.file.sync().catch(() => undefined));',
      },
    ],
  },
  {
    name: 'drop-log-before-quorum-has-tables',
    what: 'A member drops log as soon as its own tables hold it, whether or not a quorum has such tables.',
    breaks: 'D1',
    profile: 'table',
    expectedChecks: ['log goes when a majority has the tables'],
    edits: [
      {
        file: 'replica/snapshot/log-truncation.ts',
        find: 'const limit = Math.min(own, gossip.quorumFlushed(own), sender.floor());',
        replace: 'const limit = Math.min(own, sender.floor());',
      },
    ],
  },
  {
    name: 'drop-log-before-own-tables',
    what: 'A member drops log when the edit of a flush is applied, although its own table is not durable yet.',
    breaks: 'D1',
    profile: 'table',
    expectedChecks: ['log begins where the tables end'],
    edits: [
      {
        file: 'replica/snapshot/log-truncation.ts',
        find: 'const own = tree.durable.flushed.index;',
        replace: 'const own = tree.latest.flushed.index;',
      },
      // The store's own assertion sees it first: what is to be shown is that the simulator does.
      {
        file: 'replica/snapshot/log-truncation.ts',
        find: 'assert(log.firstIndex() <= tree.durable.flushed.index + 1,',
        replace: 'assert(log.firstIndex() <= tree.latest.last.index + 1,',
      },
    ],
  },
  {
    name: 'materialized-for-flushed-at-restart',
    what: 'A restart applies the log from the materialized index on instead of from the flushed index.',
    breaks: 'S2',
    profile: 'table',
    edits: [
      {
        file: 'replica/state/progress.ts',
        find: "new Watermark('the applied index', tree.durable.flushed.index);",
        replace: "new Watermark('the applied index', tree.durable.last.index);",
      },
      {
        file: 'replica/replica.ts',
        find: '{ applied: progress.flushed, commit },',
        replace: '{ applied: progress.applied.value, commit },',
      },
      {
        file: 'replica/replica.ts',
        find: '    reads.applied(progress.flushed);',
        replace: '    reads.applied(progress.applied.value);',
      },
    ],
  },
  {
    name: 'snapshot-acked-before-manifest-durable',
    what: 'A snapshot is acknowledged before its manifest is on the disk.',
    breaks: 'R2',
    profile: 'table',
    edits: [
      {
        file: 'replica/consensus/raft-driver.ts',
        find: '    this.#outbox.send(outgoing, this.#writes.durableTerm);\n    this.#stallWatch',
        replace: `    this.#outbox.send(outgoing, this.#writes.durableTerm);
    if (snapshot && answers) this.#outbox.send(answers.filter(({ to }) => to !== this.#node.id), this.#writes.durableTerm);
    this.#stallWatch`,
      },
    ],
  },
  {
    name: 'log-reset-before-snapshot-manifest',
    what: 'A snapshot resets the log first and writes its manifest afterwards.',
    breaks: 'D1',
    profile: 'table',
    edits: [
      {
        file: 'replica/snapshot/version-switch.ts',
        find: '      await this.#insist(() => log.expectSnapshot(manifest.last.index));\n      await this.#replace(manifest);\n      await this.loadMended();\n' +
          '      await this.#insist(() => log.resetTo(index, term, manifest.last.index));',
        replace: '      await this.#insist(() => log.resetTo(index, term, manifest.last.index));\n      await this.#replace(manifest);\n      await this.loadMended();',
      },
    ],
  },
  {
    name: 'hard-state-quorum-of-one',
    what: 'One of the four copies of the hard state is enough, to write it and to believe it.',
    breaks: 'R5',
    profile: 'full',
    edits: [
      { file: 'replica/hard-state/hard-state.ts', find: 'const MUST_HOLD = 3;', replace: 'const MUST_HOLD = 1;' },
      { file: 'replica/hard-state/hard-state.ts', find: 'const MUST_AGREE = 2;', replace: 'const MUST_AGREE = 1;' },
    ],
    expectedChecks: ['promises are durable before they are sent', 'the hard state is in three copies'],
  },
  {
    name: 'hard-state-trusts-first-slot',
    what: 'The first sound copy of the hard state is believed, whatever the others say.',
    breaks: 'R5',
    profile: 'table',
    edits: [
      {
        file: 'replica/hard-state/hard-state.ts',
        find: '  const damaged = slots.length - sound.length;\n',
        replace: '  const damaged = slots.length - sound.length;\n' +
          '  const trusted = slots.find((slot) => slot !== undefined);\n  if (trusted !== undefined) return trusted;\n',
      },
    ],
  },
  {
    name: 'roll-without-sync',
    what: 'A batch that is split over two log segments is synced in the second one only.',
    breaks: 'R2',
    profile: 'full',
    expectedChecks: ['the log is on the medium', 'acknowledged entries are durable', 'acknowledged entries survive'],
    edits: [
      {
        file: 'replica/log/log-writer.ts',
        find: '    if (this.#fresh.length > 0) await this.#sync();\n',
        replace: `    if (this.#fresh.length > 0) {
      [this.#pending, this.#fresh] = [this.#fresh, this.#pending];
      this.#pendingArea = otherArea(this.#target);
    }
    if (this.#pending.length > 0) this.#putIdentities(this.#pendingArea);
`,
      },
    ],
  },
  {
    name: 'identity-beside-its-batch',
    what: 'The identity of a batch goes to the area of its batch: one bad page takes both, and what was acknowledged passes for torn.',
    breaks: 'R6',
    profile: 'full',
    edits: [
      { file: 'replica/log/log-writer.ts', find: 'this.#pendingArea = otherArea(this.#target);', replace: 'this.#pendingArea = this.#target;' },
    ],
  },
  {
    name: 'snapshot-unexpected-by-the-log',
    what: 'The manifest of a snapshot becomes durable before the log knows that one is coming: a crash there leaves a log that seems cut.',
    breaks: 'D1',
    profile: 'full',
    expectedChecks: ['log ends where the version ends'],
    edits: [
      {
        file: 'replica/snapshot/version-switch.ts',
        find: `      await this.#quiesce();
      await this.#insist(() => log.expectSnapshot(manifest.last.index));
      await this.#replace(manifest);`,
        replace: `      await this.#quiesce();
      await this.#replace(manifest);`,
      },
    ],
  },
];
