/** The storage engine's errors. Damage is an operating error, never an assertion. */

import { KintsugiError } from '../../base/errors.js';

type StorageErrorCode =
  /**
   * A block is beyond parity here and no repaired copy is at hand. `data`: tableId, offset, length,
   * digest, why.
   */
  | 'BLOCK_UNREADABLE'
  /**
   * A table's file is missing, too short, or its footers are beyond parity. `data`: tableId, why.
   */
  | 'TABLE_UNREADABLE'
  /** The manifest cannot be read. `data`: path, why. */
  | 'MANIFEST_UNREADABLE'
  /** Bytes were produced or received whose digest is not the one that was asked for. */
  | 'DIGEST_MISMATCH'
  | 'CANCELLED';

export class StorageError extends KintsugiError<StorageErrorCode> {
  override readonly name = 'StorageError';
}
