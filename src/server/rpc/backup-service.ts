/**
 * Backups as streams: etcd's Maintenance.Snapshot, whole, and `kintsugi.v1.Backup`, without what
 * the asker has. A slow reader slows the member's reading, one that goes away ends it.
 */

import type { BackupPiece } from '../../replica/backup/backups.js';
import type { Store } from '../../node/store.js';
import type { Method } from '../../grpc/method.js';
import { addCold, type ColdSender } from './cold.js';

/** `more`: further fields of each message. */
export async function sendBackup(pieces: AsyncGenerator<BackupPiece, void, undefined>, out: ColdSender, more: object = {}): Promise<void> {
  for await (const { bytes, remaining } of pieces) {
    // Whoever is gone is told by the write: it rejects, and the generator lets go of what it holds.
    await out.write({ ...more, remaining_bytes: String(remaining), blob: bytes });
  }
}

export function addBackup(table: Map<string, Method>, store: Store): void {
  addCold(table, 'kintsugi.v1.Backup', {}, {
    Save: (request, out) => sendBackup(store.backup(new Set(request['held'] as readonly string[])), out),
  });
}
