/**
 * The newest version that a data directory holds and what its hard state says, each as far as it is
 * sound: nothing is changed. Hard state says which manifest is the newest; if it cannot, the newest
 * that can be read and whose tables are all there is taken. Whichever it is, all in it was
 * committed (S1).
 */

import type { Disk } from '../../base/disk.js';
import type { Workers } from '../../base/env.js';
import { codeOf, DiskError, messageOf } from '../../base/errors.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { readManifestFile } from '../../storage/version/manifest-reader.js';
import type { ManifestName } from '../../storage/version/manifest-record.js';
import { manifestGenerations, pathOf } from '../../storage/version/manifest-files.js';
import { Version } from '../../storage/version/version.js';
import { viewHardState } from '../hard-state/hard-state.js';
import type { HardStateRecord } from '../hard-state/slots.js';

export interface VersionAtRest {
  /** As two copies say; else the newest copy that is sound, which may be old. */
  readonly hardState: HardStateRecord | undefined;
  /** Empty if none can be read. */
  readonly version: Version;
  /** 0: none can be read. */
  readonly generation: number;
  /** Of which there are files. */
  readonly manifests: number;
  /** What is wrong, for people. */
  readonly problems: readonly string[];
}

/** Rejects with DiskError. */
export async function versionAtRest(disk: Disk, workers: Pick<Workers, 'breathe'>): Promise<VersionAtRest> {
  const problems: string[] = [];
  const { record, certain } = await hardStateOf(disk, problems);
  const generations = await manifestGenerations(disk);
  const { manifestGeneration: generation = 0, manifestDigest: digest = '' } = record ?? {};
  const named = generation > 0 ? { generation, digest } : undefined;
  const found = await newestOf(disk, workers, certain ? named : undefined, generations, problems);
  if (found === undefined && (named !== undefined || generations.length > 0)) problems.push('no manifest can be read: which tables hold the data is not known');
  return { hardState: record, ...(found ?? { version: Version.empty(), generation: 0 }), manifests: generations.length, problems };
}

interface HardStateFound {
  readonly record: HardStateRecord | undefined;
  /** It is the newest that was promised. */
  readonly certain: boolean;
}

async function hardStateOf(disk: Disk, problems: string[]): Promise<HardStateFound> {
  const view = await viewHardState(disk);
  if (view?.record !== undefined) return { record: view.record, certain: true };
  problems.push(`hardstate is ${view === undefined ? 'missing' : 'damaged'}: what this member has promised is not known`);
  const sound = (view?.slots ?? []).filter((slot) => slot !== undefined).sort((a, b) => b.sequence - a.sequence);
  return { record: sound[0], certain: false };
}

/** Undefined: none can be read. */
async function newestOf(
  disk: Disk, workers: Pick<Workers, 'breathe'>, named: ManifestName | undefined, generations: readonly number[], problems: string[],
): Promise<Pick<VersionAtRest, 'version' | 'generation'> | undefined> {
  const others = [...generations].sort((a, b) => b - a).filter((generation) => generation !== named?.generation);
  for (const name of [...(named === undefined ? [] : [named]), ...others.map((generation) => ({ generation }))]) {
    const path = pathOf(name.generation);
    try {
      const { manifest } = await readManifestFile(disk, path, name, DEFAULT_TREE_SETTINGS.format.scheme, workers);
      const missing = manifest.list().filter(({ id }) => disk.sizeOf(tablePath(id)) === undefined);
      // The one that hard state names is the newest: its tables were there.
      if (name !== named && missing.length > 0) problems.push(`${path} is older than the tables: ${missing.length} of its tables are gone`);
      else return { version: manifest, generation: name.generation };
    } catch (error) {
      if (codeOf(error) !== 'MANIFEST_UNREADABLE' && !isReadError(error)) throw error;
      problems.push(messageOf(error));
    }
  }
  return undefined;
}

/** A file that cannot be opened is as good as one that cannot be read. */
function isReadError(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'READ_FAILED';
}
