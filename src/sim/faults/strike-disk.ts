/**
 * Carries out one disk action of the plan. What is not there now is tried again for some seconds;
 * what cannot be done at all gives way to damage to tables, so that a plan is as rough as it was
 * meant to be. All chance comes from the action's own stream.
 */

import { isPossible } from './cells.js';
import type { DiskContext, Strike } from './context.js';
import type { DiskFault, FaultAction, Spread, Structure } from '../model/fault.js';
import { strikeArmed } from './strike-armed.js';
import { strikeAtCrash } from './strike-crash.js';
import { strikeJoined } from './strike-joined.js';
import { strikeLog } from './strike-log.js';
import { strikeSmall } from './strike-small.js';
import { strikeHardStateFile, strikeManifestFile, strikeManifestRecord, strikeSlot } from './strike-state.js';
import { strikeTableFile, strikeTablePart } from './strike-table.js';

const SECOND_US = 1_000_000;
const RETRY_US = 3 * SECOND_US;
const TRIES = 8;
const FALLBACK: readonly DiskFault[] = ['bit-flip', 'burst', 'zeroed', 'junk'];

const STORED: readonly DiskFault[] = ['bit-flip', 'burst', 'zeroed', 'junk', 'stale', 'missing', 'truncated', 'extended', 'misnamed'];
const LIES: readonly DiskFault[] = ['lost-write', 'misdirected-write'];
const AT_CRASH: readonly DiskFault[] = ['torn-append', 'unsynced-lost', 'unsynced-name-lost'];

export function strikeDisk(context: DiskContext, action: FaultAction): void {
  const { world, profile, untilUs } = context;
  const kind = action.kind as DiskFault;
  const structure = action.structure ?? 'table-data';
  if (!isPossible({ structure, kind }, profile)) return;
  const random = world.stream(`fault ${action.id}`);
  const spread = action.spread ?? 'one';
  let tries = 0;
  const attempt = (): void => {
    if (world.nowUs >= untilUs || carryOut({ context, random, kind, structure }, spread)) return;
    // Of those that seldom are there it is what comes late that counts, and nothing else.
    if (++tries < TRIES || structure === 'joined-file') return void world.schedule(RETRY_US, attempt);
    carryOut({ context, random, kind: random.pick(FALLBACK), structure: 'table-data' }, spread);
  };
  attempt();
}

/** False if nothing was done and nothing waits. */
function carryOut(strike: Strike, spread: Spread): boolean {
  const { kind, structure } = strike;
  if (AT_CRASH.includes(kind)) return strikeAtCrash(strike);
  if (STORED.includes(kind) || (LIES.includes(kind) && isDoneAfterwards(structure))) return strikeStored(strike, spread);
  return strikeArmed(strike, spread);
}

/**
 * Where a lost write is safest done to what was written: only then is it known what it was, and who
 * else has it.
 */
function isDoneAfterwards(structure: Structure): boolean {
  return structure.startsWith('log-') || (structure.startsWith('table-') && structure !== 'table-file');
}

function strikeStored(strike: Strike, spread: Spread): boolean {
  const { structure, context, random } = strike;
  if (structure === 'table-file') return strikeTableFile(strike, spread);
  if (structure.startsWith('table-')) return strikeTablePart(strike, spread);
  const nodes = random.shuffled(context.nodes);
  const count = spread === 'one' ? 1 : spread === 'same' ? nodes.length - 1 : nodes.length;
  let hit = 0;
  for (const node of nodes) {
    if (hit >= count) break;
    if (strikeOne(strike, node)) hit++;
  }
  return hit > 0;
}

function strikeOne(strike: Strike, node: DiskContext['nodes'][number]): boolean {
  switch (strike.structure) {
    case 'hardstate-slot':
      return strikeSlot(strike, node);
    case 'hardstate-file':
      return strikeHardStateFile(strike, node);
    case 'manifest-record':
      return strikeManifestRecord(strike, node);
    case 'manifest-file':
      return strikeManifestFile(strike, node);
    case 'hints-file':
    case 'repairs-file':
    case 'promises-file':
      return strikeSmall(strike, node);
    case 'joined-file':
      return strikeJoined(strike, node);
    default:
      return strikeLog(strike, node);
  }
}
