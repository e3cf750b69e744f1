/** Manifests on a disk, as a member opens them in one life after another, and what it records. */

import { toHex, utf8 } from '../../../base/bytes.js';
import type { Disk } from '../../../base/disk.js';
import { MemoryDisk } from '../../../base/disk/memory-disk.js';
import { encodeInternalKey } from '../../base/key.js';
import { SMALL_FORMAT } from '../../testing/tree-harness.js';
import { applyTreeOp } from '../apply-tree-op.js';
import { encodeManifest } from '../manifest-codec.js';
import { THIRD_COPY_AT, thirdCopyPath } from '../manifest-files.js';
import type { ManifestName } from '../manifest-record.js';
import { ManifestStore, type ManifestStoreOptions, type PositionedOp } from '../manifest-store.js';
import { Version } from '../version.js';

const SCHEME = { kind: 'rs', k: 8, m: 2 } as const;
export const hex = (manifest: Version): string => toHex(encodeManifest(manifest));

/** Flushes: each step is a seal and its edit; one of a table that is too small is refused. */
export function steps(count: number, bytes = 10): { ops: PositionedOp[]; manifest: Version }[] {
  let manifest = Version.empty();
  return Array.from({ length: count }, (_, i) => {
    const index = 2 * i + 1;
    const at = { term: 1, index };
    const table = {
      birth: { term: 1, proposer: 7, sequence: index, ordinal: 0 },
      bytes, rootDigest: 'a'.repeat(32), fileDigest: i.toString(16).padStart(32, '0'),
      smallest: encodeInternalKey(1, utf8('a'), 3, 0), largest: encodeInternalKey(1, utf8('b'), 3, 0),
      entries: 2, tombstones: 0, minRevision: 3, maxRevision: 3, liveDelta: 2, scheme: SMALL_FORMAT.scheme,
    };
    const ops: PositionedOp[] = [
      { ...at, op: { kind: 'seal', proposer: 7, format: SMALL_FORMAT } },
      { term: 1, index: index + 1, op: { kind: 'edit', plan: index, removed: [], added: [table] } },
    ];
    for (const { op, ...position } of ops) manifest = applyTreeOp(manifest, op, position).manifest;
    return { ops, manifest };
  });
}

/** A seal behind all of it. */
export function nextStep(version: Version): { ops: PositionedOp[]; manifest: Version } {
  const at = { term: version.last.term, index: version.last.index + 1 };
  const op = { kind: 'seal', proposer: 7, format: SMALL_FORMAT } as const;
  return { ops: [{ ...at, op }], manifest: applyTreeOp(version, op, at).manifest };
}

export class Host {
  readonly disk: Disk;
  name: ManifestName | undefined;
  rotateBytes: number | undefined;
  recordBytes: number | undefined;
  workers: ManifestStoreOptions['workers'] = { breathe: () => undefined };

  constructor(disk: Disk, name?: ManifestName) {
    this.disk = disk;
    this.name = name;
  }

  open(): Promise<ManifestStore> {
    const options: ManifestStoreOptions = {
      disk: this.disk,
      workers: this.workers,
      scheme: SCHEME,
      commitGeneration: async (name) => void (this.name = name),
      ...(this.recordBytes === undefined ? {} : { recordBytes: this.recordBytes }),
      ...(this.rotateBytes === undefined ? {} : { rotateBytes: this.rotateBytes }),
    };
    return ManifestStore.open(options, this.name, Version.empty());
  }
}

/** With `recordBytes` the last of it is a snapshot, in parts. */
export async function written(
  count: number, recordBytes?: number,
): Promise<{ host: Host; path: string; history: ReturnType<typeof steps> }> {
  const host = new Host(new MemoryDisk());
  const store = await host.open();
  const history = steps(count, recordBytes === undefined ? 10 : 100_000);
  for (const { ops, manifest } of history) await store.append(ops, manifest);
  store.close();
  if (recordBytes === undefined) return { host, path: store.path, history };
  host.recordBytes = recordBytes;
  const again = await host.open();
  await again.replace(again.manifest);
  again.close();
  return { host, path: again.path, history };
}

export async function damage(disk: Disk, path: string, change: (bytes: Uint8Array) => void): Promise<void> {
  const file = await disk.open(path, 'write');
  const bytes = new Uint8Array(file.size());
  await file.read(bytes, 0);
  change(bytes);
  await file.write(bytes, 0);
  file.close();
}

/** Of the file at `path`, and of the third copies of what begins there. */
export async function damageAll(disk: Disk, path: string, from: number, to: number): Promise<void> {
  await damage(disk, path, (bytes) => bytes.fill(0, from, to));
  await damage(disk, thirdCopyPath(path), (bytes) => bytes.fill(0, THIRD_COPY_AT + from, THIRD_COPY_AT + to));
}
