/** Which backup is meant: a file, or one of a folder by its name. */

import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { backupNames, backupPath } from '../../replica/backup/backup-folder.js';
import { OpenBackup } from '../../replica/backup/open-backup.js';
import { NodeWorkers } from '../../server/env/node-env.js';
import { UsageFault } from '../ctl/context.js';
import { ReadOnlyDir } from '../files/read-only-disk.js';

export interface BackupPlace {
  /** The folder that it is in. */
  readonly dir: string;
  /** Its file, in that. */
  readonly file: string;
  readonly path: string;
}

function placeOf(path: string): BackupPlace {
  const whole = resolve(path);
  return { dir: dirname(whole), file: basename(whole), path };
}

/** All that is meant: of a folder without a name, each of its backups. Throws UsageFault. */
export async function locate(path: string | undefined, name?: string): Promise<readonly BackupPlace[]> {
  if (path === undefined) throw new UsageFault('a backup is needed: a file, or a folder that backups were saved to');
  if (!existsSync(path)) throw new UsageFault(`${path} does not exist`);
  if (!statSync(path).isDirectory()) {
    if (name !== undefined) throw new UsageFault(`${path} is a file: a name is given only with a folder`);
    return [placeOf(path)];
  }
  const names = await backupNames(new ReadOnlyDir(path));
  if (names.length === 0) throw new UsageFault(`the folder ${path} holds no backup`);
  if (name !== undefined && !names.includes(name)) throw new UsageFault(`the folder ${path} holds no backup ${JSON.stringify(name)}; it has ${names.join(', ')}`);
  return names.filter((other) => name === undefined || other === name).map((each) => placeOf(join(path, backupPath(each))));
}

/** The one that is meant. Throws UsageFault. */
export async function locateOne(path: string | undefined, name?: string): Promise<BackupPlace> {
  const places = await locate(path, name);
  const [place] = places;
  if (place !== undefined && places.length === 1) return place;
  throw new UsageFault(`the folder ${path ?? ''} holds ${places.length} backups, say which: ${places.map(({ file }) => file.replace(/\.backup$/, '')).join(', ')}`);
}

/** Rejects with BackupError, DiskError. */
export function openBackup({ dir, file }: BackupPlace): Promise<OpenBackup> {
  return OpenBackup.open(new ReadOnlyDir(dir), file, new NodeWorkers());
}
