/** Canaries in how a damaged log is mended by other members. */

import type { Canary } from './canary.js';

const BY_THE_MODEL = 'a run leaves a majority undamaged, which leads and tells for certain; `npm run model:log-recovery` and recovery-model.test.ts find it';

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
  {
    name: 'cut-on-one-word',
    what: 'A lost entry is cut as soon as one voter says that it does not have it.',
    breaks: 'R6',
    profile: 'full',
    knownFailure: BY_THE_MODEL,
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
    profile: 'full',
    knownFailure: BY_THE_MODEL,
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
    profile: 'full',
    knownFailure: BY_THE_MODEL,
    edits: [
      {
        file: 'replica/log-recovery/says.ts',
        find: "      return 'faulty';",
        replace: '      return absent(bound, witness);',
      },
    ],
  },
];
