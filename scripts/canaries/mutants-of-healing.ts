/** Mutants in healing: which faults count, who is told, whose bytes are used. */

import type { Mutant } from './canary.js';

export const MUTANTS_OF_HEALING: readonly Mutant[] = [
  {
    name: 'copy-not-proven-again',
    what: 'A copy that was made long ago is put in the place of a table as it lies there now.',
    breaks: 'H5',
    killedBy: { file: 'healing/repair/table-copies.test.ts', title: 'H5 a copy that waited is proven again, and made anew if it went bad meanwhile' },
    edits: [
      {
        file: 'healing/repair/table-copies.ts',
        find: 'if (waited && !(await this.verify(meta, copy.path)).pristine) return undefined;',
        replace: 'if (waited && copy.path === meta.fileDigest) return undefined;',
      },
    ],
  },
  {
    name: 'hints-not-resent',
    what: 'A hint is sent once to each leader: if the message is lost, this one never hears of it.',
    breaks: 'H2',
    killedBy: { file: 'healing/hints-of-nodes.test.ts', title: 'H2 lost calls, lost answers and a leader that dies lose no hint' },
    edits: [
      {
        file: 'healing/hints/hint-forwarder.ts',
        find: '    this.#schedule(round.again ? GATHER_MS : this.#resendMs);',
        replace: '    if (round.again || this.#resendMs < GATHER_MS) this.#schedule(GATHER_MS);',
      },
    ],
  },
  {
    name: 'corrected-reads-leave-no-hint',
    what: 'Rot that a read met and parity corrected is forgotten: only a scrub would find it again.',
    breaks: 'H1',
    killedBy: { file: 'healing/healing.test.ts', title: 'H1 H2 H3 a corrected read on a follower leads to a heal: rewritten there, relinked on the others' },
    edits: [
      {
        file: 'healing/detect/fault-notes.ts',
        find: "    if (!hints.covers(meta, 'corrected', region.offset)) this.#leave({ meta, region, read: 'corrected' });\n",
        replace: '',
      },
    ],
  },
  {
    name: 'start-forgets-the-damaged',
    what: 'Faults that reads met before healing began are never looked at.',
    breaks: 'H1',
    killedBy: { file: 'healing/healing.test.ts', title: 'H1 a fault that a read met before there was a replica is confirmed once there is one' },
    edits: [
      {
        file: 'healing/detect/fault-confirmer.ts',
        find: '    this.#parts.notes.subscribe(() => this.#pump());\n    this.#pump();\n',
        replace: '    this.#parts.notes.subscribe(() => this.#pump());\n    for (let left = this.#parts.notes.take(); left !== undefined; left = this.#parts.notes.take()) this.#parts.notes.done(left);\n',
      },
    ],
  },
  {
    name: 'heal-head-of-line',
    what: 'The table whose turn it is waits at the head of the queue while a plan uses it, and all others behind it.',
    breaks: 'H4',
    killedBy: { file: 'healing/heal/heal-picker.test.ts', title: 'H4 drops what is gone, passes over what is busy, and takes the next' },
    edits: [
      {
        file: 'healing/heal/heal-picker.ts',
        find: 'else if (!version.isBusy(heal.tableId) && (first === undefined || isBefore(heal, first))) first = heal;',
        replace: 'else if (first === undefined || isBefore(heal, first)) first = heal;',
      },
      {
        file: 'healing/heal/heal-picker.ts',
        find: 'const heal = first === undefined ? undefined',
        replace: 'if (first !== undefined && version.isBusy(first.tableId)) first = undefined;\n  const heal = first === undefined ? undefined',
      },
    ],
  },
  {
    name: 'scrub-unconfirmed',
    what: 'What a scrub reads wrong once is a hint, whatever a second reading says.',
    breaks: 'H1',
    killedBy: { file: 'healing/hints-of-nodes.test.ts', title: 'H1 a fault that a scrub reads once and not again is no hint' },
    edits: [
      {
        file: 'healing/detect/scrubber.ts',
        find: 'const faults = foundTwice(found, again);',
        replace: 'const faults = foundTwice(found, found);',
      },
    ],
  },
  {
    name: 'repair-aliases-the-frame',
    what: 'A repair is kept in the memory of the message that it came in, which the network uses again.',
    breaks: 'S4',
    killedBy: { file: 'healing/repair/repair-keeper.test.ts', title: 'S4 a repair is kept in memory of its own' },
    edits: [{ file: 'healing/repair/repair-store.ts', find: 'this.#remember(key, payload.slice());', replace: 'this.#remember(key, payload);' }],
  },
];
