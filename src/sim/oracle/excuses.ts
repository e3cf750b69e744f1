/**
 * The verdict on stops: which typed stop of a node follows from which damage that was done to it.
 * Always true: it asks the ledger alone, and what is not listed here is a fault of the store.
 */

import { KintsugiError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { areaOf, type Area, type Damage } from './damage.js';
import type { Ledger } from './ledger.js';

/** The parts whose grave damage may stop a node with this error, and a read error ends one life. */
const PARTS: Readonly<Record<string, readonly Area[]>> = {
  'LogError ENTRY_UNREADABLE': ['log'],
  'ReplicaError LOG_MISSING': ['log'],
  'HardStateError UNREADABLE': ['hardstate'],
  'HardStateError MISSING': ['hardstate'],
  'JoinError JOINED_UNREADABLE': ['joined'],
  'JoinError JOINED_MISSING': ['joined'],
  'RecoverError INTENT_UNREADABLE': ['recovering'],
  // What damage made look like a write that was never finished.
  'ReplicaError ROLLED_BACK': ['log'],
};

/**
 * The disk refused something that the node cannot do without: room is none of it (C1), nor is a
 * write or a sync of the log, which goes on elsewhere.
 */
const REFUSED: ReadonlySet<string> = new Set(['HardStateError WRITE_FAILED', 'ReplicaError DISK_FAILED']);
const GOT_OVER: ReadonlySet<string> = new Set(['LogError SYNC_FAILED', 'LogError WRITE_FAILED']);

/** What a node that has forgotten what it promised may say. */
const FORGETFUL: ReadonlySet<string> = new Set([
  'ReplicaError EMPTIED', 'ReplicaError ROLLED_BACK', 'HardStateError UNREADABLE', 'HardStateError MISSING',
]);

/**
 * Of a life that ends with this error: what the disk refused to the lives before it is no excuse.
 */
export function excuseOf(ledger: Ledger, node: NodeId, error: unknown): string | undefined {
  if (!(error instanceof KintsugiError)) return undefined;
  const name = `${error.name} ${error.code}`;
  if (GOT_OVER.has(name)) return undefined;
  const sinceUs = ledger.lifeBeganUs(node);
  for (const area of PARTS[name] ?? []) {
    const damage = ledger.grave(node, area) ?? ledger.unreadOnce(node, sinceUs, area);
    if (damage !== undefined) return describe(damage);
  }
  if (REFUSED.has(name) || (error.name === 'DiskError' && error.code !== 'NO_SPACE')) {
    const refusal = ledger.refused(node, sinceUs);
    if (refusal !== undefined) return describe(refusal);
  }
  if (name === 'ReplicaError EMPTIED') return ledger.suffered(node, 'wipe') ? 'its directory was wiped' : undefined;
  if (name === 'ReplicaError LOG_MISSING' && ledger.suffered(node, 'wipe')) return 'the log in its directory was wiped';
  if (FORGETFUL.has(name) && ledger.suffered(node, 'roll-back')) return 'its directory was rolled back';
  // The first error may be wrapped in one that says what it means.
  return error.cause === undefined ? undefined : excuseOf(ledger, node, error.cause);
}

function describe({ kind, path }: Damage): string {
  return `${kind} of its ${areaOf(path)}`;
}
