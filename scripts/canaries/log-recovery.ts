/**
 * Bugs in how a damaged log is mended by other members. That one word too many is believed shows in
 * few runs: a majority that is undamaged leads, and tells for certain. So most are for the tests of
 * the functions that decide, which go through all states (`npm run model:log-recovery`).
 */

import type { Canary, Mutant } from './canary.js';

export const LOG_RECOVERY: readonly Canary[] = [
  {
    name: 'holes-are-cut',
    what: 'A member whose log has holes cuts it at the first of them, asks nobody, and takes part.',
    breaks: 'R6',
    profile: 'full',
    edits: [
      {
        file: 'replica/log-recovery/recover-log.ts',
        find: 'while (this.log.wanted().length > 0) await this.#round();',
        replace: 'for (const { index } of this.log.wanted().slice(0, 1)) await (index > 0 ? Promise.resolve(this.log.cut(index, 0)) : this.#round());',
      },
    ],
  },
];

export const MUTANTS_OF_LOG_RECOVERY: readonly Mutant[] = [
  {
    name: 'cut-on-one-word',
    what: 'A lost entry is cut as soon as one voter says that it does not have it.',
    breaks: 'R6',
    killedBy: { file: 'replica/log-recovery/recovery-model.test.ts', title: 'R6 D1 loses nothing, takes nothing wrong and waits for nothing that somebody has' },
    edits: [
      {
        file: 'replica/log-recovery/decide.ts',
        find: 'if (quorum.isMajority(lacking))',
        replace: 'if (quorum.isMajority(lacking) || lacking.size > 0)',
      },
    ],
  },
  {
    name: 'lacks-without-a-term',
    what: 'A voter says that it does not have an entry although it could still take it in a term in which the other acknowledged it.',
    breaks: 'R6',
    killedBy: { file: 'replica/log-recovery/says.test.ts', title: 'R6 a voter lacks it only once its term is above all in which the other may have acknowledged it' },
    edits: [
      {
        file: 'replica/log-recovery/says.ts',
        find: 'return witness.votes && witness.term > bound ?',
        replace: 'return witness.votes && witness.term >= 0 ?',
      },
    ],
  },
  {
    name: 'hole-counts-as-absent',
    what: 'A member that lost an entry itself says that it does not have it.',
    breaks: 'R6',
    killedBy: { file: 'replica/log-recovery/recovery-model.test.ts', title: 'R6 D1 loses nothing, takes nothing wrong and waits for nothing that somebody has' },
    edits: [
      {
        file: 'replica/log-recovery/says.ts',
        find: "      return 'faulty';",
        replace: '      return absent(bound, witness);',
      },
    ],
  },
];
