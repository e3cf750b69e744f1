/** All canaries. */

import type { Canary } from './canary.js';
import { CONSENSUS } from './consensus.js';
import { HEALING } from './healing.js';
import { LOG } from './log.js';
import { LOG_RECOVERY } from './log-recovery.js';
import { TABLES } from './tables.js';

export const CANARIES: readonly Canary[] = [...CONSENSUS, ...LOG, ...LOG_RECOVERY, ...TABLES, ...HEALING];
