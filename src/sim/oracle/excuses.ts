/** Which typed stop of a node follows from which damage that was done to it. Everything else is a fault of the store. */

import { KintsugiError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { areaOf, type Area, type Damage, type DamageLedger } from './damage-ledger.js';

/** The parts whose grave damage may stop a node with this error, and a read error ends one life. */
const PARTS: Readonly<Record<string, readonly Area[]>> = {
  'LogError ENTRY_FAULTY': ['log'],
  'LogError ENTRY_UNREADABLE': ['log'],
  'ReplicaError LOG_MISSING': ['log'],
  'HardStateError UNREADABLE': ['hardstate'],
  'HardStateError MISSING': ['hardstate'],
  // What damage made look like a write that was never finished.
  'ReplicaError ROLLED_BACK': ['log'],
};

/** The disk refused something that the node cannot do without. */
const REFUSED = new Set([
  'LogError SYNC_FAILED', 'LogError WRITE_FAILED', 'LogError NO_SPACE', 'HardStateError WRITE_FAILED', 'ReplicaError DISK_FAILED',
]);

/** What a node that has forgotten what it promised may say. */
const FORGETFUL = new Set([
  'ReplicaError EMPTIED', 'ReplicaError ROLLED_BACK', 'HardStateError UNREADABLE', 'HardStateError MISSING',
]);

/** `sinceUs`: when the life began that ends with this error. */
export function excuseOf(ledger: DamageLedger, node: NodeId, error: unknown, sinceUs: number): string | undefined {
  if (!(error instanceof KintsugiError)) return undefined;
  const name = `${error.name} ${error.code}`;
  for (const area of PARTS[name] ?? []) {
    const damage = ledger.grave(node, area) ?? ledger.unreadOnce(node, sinceUs, area);
    if (damage !== undefined) return describe(damage);
  }
  if (REFUSED.has(name) || error.name === 'DiskError') {
    const refusal = ledger.refused(node, sinceUs);
    if (refusal !== undefined) return describe(refusal);
  }
  if (name === 'ReplicaError EMPTIED') return ledger.suffered(node, 'wipe') ? 'its directory was wiped' : undefined;
  if (FORGETFUL.has(name) && ledger.suffered(node, 'roll-back')) return 'its directory was rolled back';
  // The first error may be wrapped in one that says what it means.
  return error.cause === undefined ? undefined : excuseOf(ledger, node, error.cause, sinceUs);
}

function describe({ kind, path }: Damage): string {
  return `${kind} of its ${areaOf(path)}`;
}
