/** STUB: signatures first, bodies follow. */
import type { Disk } from '../../base/disk.js';
import type { Digest128 } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';
import type { OpPosition } from './apply-tree-op.js';
import type { LogicalManifest } from './logical-manifest.js';
import type { TreeOp } from './tree-op.js';

/** What hard state names: which manifest file counts, and what its first record is. */
export interface ManifestName {
  readonly generation: number;
  readonly digest: Digest128;
}
export interface PositionedOp extends OpPosition {
  readonly op: TreeOp;
}
export interface ManifestStoreOptions {
  readonly disk: Disk;
  readonly scheme: EccScheme;
  /** Durably names a new generation in the hard state; resolves when that is synced. Until then the old one counts. */
  readonly commitGeneration: (name: ManifestName) => Promise<void>;
  /** File bytes beyond which the next append starts a new generation. Default 1 MiB. */
  readonly rotateBytes?: number;
}

/** The durable manifest. One append at a time (asserted). */
export class ManifestStore {
  /**
   * `expected` is what hard state names; undefined: a new store, and `initial` becomes generation 1.
   * Throws StorageError MANIFEST_UNREADABLE if what it names cannot be read.
   */
  static async open(options: ManifestStoreOptions, expected: ManifestName | undefined, initial: LogicalManifest): Promise<ManifestStore> {
    await Promise.resolve();
    throw new Error(`stub ${options.scheme.kind} ${expected?.generation} ${initial.nextTableId}`);
  }
  /** The durable version. */
  get manifest(): LogicalManifest { throw new Error('stub'); }
  get name(): ManifestName { throw new Error('stub'); }
  /** Path of the file that counts. */
  get path(): string { throw new Error('stub'); }
  /** Makes `ops`, which lead from the durable version to `result`, durable. Resolves when synced (twice). */
  async append(ops: readonly PositionedOp[], result: LogicalManifest): Promise<void> {
    await Promise.resolve();
    throw new Error(`stub ${ops.length} ${result.nextTableId}`);
  }
  /** Starts a new generation that begins with `manifest`: after a snapshot was received, or after faults were found here. */
  async replace(manifest: LogicalManifest): Promise<void> {
    await Promise.resolve();
    throw new Error(`stub ${manifest.nextTableId}`);
  }
  close(): void {}
}
