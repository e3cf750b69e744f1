/** Mutants in the replica: its log, what it keeps, what it says to clients and peers. */

import type { Mutant } from './canary.js';

export const MUTANTS_OF_REPLICA: readonly Mutant[] = [
  {
    name: 'second-bootstrap-wins',
    what: 'The last entry with settings counts, not the first: tables that were planned before differ from those that are planned after.',
    breaks: 'S1',
    killedBy: { file: 'replica/kv/replicated-state.test.ts', title: 'S1 the settings of the first bootstrap entry are the cluster' },
    edits: [{ file: 'replica/kv/replicated-state.ts', find: 'this.#settings ??= settings;', replace: 'this.#settings = settings;' }],
  },
  {
    name: 'rest-not-withdrawn',
    what: 'A log that goes on after a rest leaves the record that says where it ended: what follows and is lost is taken for never written.',
    breaks: 'R6',
    killedBy: {
      file: 'replica/log/rest-record.test.ts',
      title: 'R6 is withdrawn before an append is acknowledged: what was lost behind it is not taken for the end',
    },
    edits: [
      { file: 'replica/log/durable-log.ts', find: 'await (this.#rest.stands ? allDone(writing, this.#rest.withdraw()) : writing);', replace: 'await allDone(writing);' },
      { file: 'replica/log/durable-log.ts', find: "assert(!this.#rest.stands, 'R6 nothing says", replace: "assert(this.#rest !== undefined, 'R6 nothing says" },
    ],
  },
  {
    name: 'silent-transfer-kept',
    what: 'A transfer whose receiver is gone keeps its tables and the log for ever.',
    breaks: 'S5',
    killedBy: { file: 'replica/snapshot/snapshot-sender.test.ts', title: 'S5 what a snapshot names is kept from the moment it is made' },
    edits: [
      {
        file: 'replica/snapshot/snapshot-sender.ts',
        find: '} else if (now - transfer.lastSign > SILENCE_MS) {',
        replace: '} else if (now < transfer.lastSign) {',
      },
    ],
  },
  {
    name: 'enqueue-past-gap',
    what: 'Entries go into the queue of apply although some before them were left in the log.',
    breaks: 'R3',
    killedBy: { file: 'replica/apply/applier.test.ts', title: 'R3 what comes while some before it is left in the log waits there, too' },
    edits: [
      {
        file: 'replica/apply/applier.ts',
        find: 'let whole = !this.#work.paused && this.#known === this.index + this.#queue.length;',
        replace: 'let whole = !this.#work.paused;',
      },
      {
        file: 'replica/apply/applier.ts',
        find: "assert(entry.index === (this.#queue.last?.index ?? this.index) + 1, 'R3 an entry follows what is queued');",
        replace: "assert(entry.index > 0, 'R3 an entry has an index');",
      },
      {
        file: 'replica/apply/applier.ts',
        find: "assert(entry.index === this.index + 1, 'R3 entries are applied in order');",
        replace: "assert(entry.index > 0, 'R3 an entry has an index');",
      },
    ],
  },
  {
    name: 'duplicate-told-definite',
    what: 'A client whose proposal was applied by an entry that this member jumped over is told for certain that it was refused.',
    breaks: 'D1',
    killedBy: { file: 'replica/apply/applier.test.ts', title: 'D1 who still waits for a proposal that was applied before is told that its outcome is unknown' },
    edits: [
      {
        file: 'replica/apply/answer.ts',
        find: "proposals.refused(id, new EtcdError('TIMEOUT'));",
        replace: "proposals.refused(id, new EtcdError('TOO_MANY_REQUESTS'));",
      },
    ],
  },
  {
    name: 'fetch-not-proved',
    what: 'A table that came from peers is not read back: a write that was lost on its way to the disk lies there as if it had arrived.',
    breaks: 'S6',
    killedBy: { file: 'replica/fetch/table-fetcher.test.ts', title: 'H5 a write that did not arrive is caught when the file is read back' },
    edits: [{ file: 'replica/fetch/table-fetcher.ts', find: '      await this.#prove(meta, path, options);\n', replace: '      if (path === meta.fileDigest) await this.#prove(meta, path, options);\n' }],
  },
  {
    name: 'repair-waits-for-the-slowest',
    what: 'A block that one peer has given is not there until every peer that was asked has answered, or failed to.',
    breaks: 'H4',
    killedBy: { file: 'replica/fetch/table-fetcher.test.ts', title: 'a peer that never answers keeps no block back that another has' },
    edits: [
      {
        file: 'replica/fetch/table-fetcher.ts',
        find: 'await Promise.race([Promise.all([askInTurn(), askInTurn()]), found.promise]);',
        replace: 'await Promise.all([askInTurn(), askInTurn()]);',
      },
    ],
  },
  {
    name: 'slow-peer-takes-all-calls',
    what: 'Calls to a peer that does not answer may take all the places that there are.',
    breaks: 'H4',
    killedBy: { file: 'replica/fetch/table-fetcher.test.ts', title: 'a peer that never answers keeps no block back that another has' },
    edits: [{ file: 'replica/fetch/table-fetcher.ts', find: 'const LEFT_FOR_OTHERS = 2;', replace: 'const LEFT_FOR_OTHERS = 0;' }],
  },
  {
    name: 'refused-transaction-not-remembered',
    what: 'A transaction that was refused at apply is carried out when its proposal comes again.',
    breaks: 'D1',
    killedBy: { file: 'replica/kv/kv-machine.test.ts', title: 'D1 a refused transaction is not tried again either' },
    edits: [
      {
        file: 'replica/kv/kv-machine.ts',
        find: "        this.#finish(index, id);\n        return { kind: 'refused', error };\n      }\n      yield* this.#publication.sliced",
        replace: "        this.#finish(index, undefined);\n        return { kind: 'refused', error };\n      }\n      yield* this.#publication.sliced",
      },
    ],
  },
  {
    name: 'previous-term-not-compared',
    what: 'A batch follows whatever entry has the index before it: one that was replaced, by a batch that is lost, counts as good.',
    breaks: 'R3',
    killedBy: { file: 'replica/log/durable-log.damage.test.ts', title: 'R3 R6 an entry is not taken for the one that replaced it and is lost' },
    edits: [
      {
        file: 'replica/log/resolve.ts',
        find: 'if (before > table.lastIndex || table.term(before) !== batch.previousTerm) {',
        replace: 'if (before > table.lastIndex) {',
      },
      {
        file: 'replica/log/resolve.ts',
        find: 'assert(table.lastIndex === before && table.term(before) === batch.previousTerm,',
        replace: 'assert(table.lastIndex === before,',
      },
    ],
  },
  {
    name: 'vote-after-roll-back',
    what: 'A member whose data directory is an older copy starts without asking the others, and votes again.',
    breaks: 'R1',
    killedBy: { file: 'node/testing/start-check.test.ts', title: 'R5 an older copy of a data directory is refused: others have met a later start' },
    edits: [{ file: 'replica/replica.ts', find: '    await checkStart({', replace: '    if (term === 0) await checkStart({' }],
  },
  {
    name: 'hard-state-damage-adds-up',
    what: 'A start leaves damaged copies of the hard state as they are, until too few are left.',
    breaks: 'R5',
    killedBy: { file: 'replica/hard-state/hard-state.test.ts', title: 'R5 damage to any two slots is survived and mended' },
    edits: [{ file: 'replica/hard-state/hard-state.ts', find: '    if (whole) return;\n', replace: '    if (whole || record.sequence > 0) return;\n' }],
  },
  {
    name: 'removal-told-before-recorded',
    what: 'A removed member is told so as soon as the removal is applied, before the disk says that it is committed.',
    breaks: 'R1',
    killedBy: { file: 'replica/removed-members.test.ts', title: 'R1 D1 are talked to as before until the disk says that the removal is committed' },
    edits: [
      {
        file: 'replica/removed-members.ts',
        find: 'if (index <= recorded) this.#untold.delete(id);',
        replace: 'if (index <= recorded || index > 0) this.#untold.delete(id);',
      },
    ],
  },
  {
    name: 'asks-former-ids',
    what: 'A member without state asks the others only under the ids that they had, and not whoever is found at their URLs now.',
    breaks: 'R5',
    killedBy: { file: 'replica/log-recovery/known-peers.test.ts', title: 'R5 finds the others by their URLs when they are other members now' },
    edits: [
      {
        file: 'replica/log-recovery/known-peers.ts',
        find: '(url === undefined ? undefined',
        replace: "(url === undefined || url !== '' ? undefined",
      },
    ],
  },
  {
    name: 'sound-bytes-show-a-write',
    what: 'A sector counts as written where bytes of a sound record stand, which may have stood there before: a torn write passes for damage.',
    breaks: 'R6',
    killedBy: { file: 'replica/log/log-end.test.ts', title: 'R6 is where a write was cut off, although what it did not write was there already' },
    edits: [
      {
        file: 'replica/log/log-end.ts',
        find: 'for (const { offset: at, good } of records) if (good) note(at, at + CRC_BYTES);',
        replace: 'for (const { offset: at, length, good } of records) if (good) note(at, at + length);',
      },
    ],
  },
];
