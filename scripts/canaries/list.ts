/** All canaries, and all mutants. */

import type { Canary, Mutant } from './canary.js';
import { CONSENSUS } from './consensus.js';
import { HEALING } from './healing.js';
import { LOG } from './log.js';
import { LOG_RECOVERY, MUTANTS_OF_LOG_RECOVERY } from './log-recovery.js';
import { MUTANTS_OF_HEALING } from './mutants-of-healing.js';
import { MUTANTS_OF_REPLICA } from './mutants-of-replica.js';
import { MUTANTS_OF_STORAGE } from './mutants-of-storage.js';
import { MUTANTS_OF_STREAMS } from './mutants-of-streams.js';
import { STREAMS } from './streams.js';
import { TABLES } from './tables.js';

export const CANARIES: readonly Canary[] = [...CONSENSUS, ...LOG, ...LOG_RECOVERY, ...TABLES, ...HEALING, ...STREAMS];

export const MUTANTS: readonly Mutant[] = [
  ...MUTANTS_OF_LOG_RECOVERY, ...MUTANTS_OF_REPLICA, ...MUTANTS_OF_STREAMS, ...MUTANTS_OF_STORAGE, ...MUTANTS_OF_HEALING,
];
