/**
 * `snapshot save`: a backup of the cluster to a file, or to a folder whose backups share tables. A
 * name appears only when all of it is durable and the digests of what came are right.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { backupPath, foldBackup, heldTables, INCOMING, type Folder, type Folded } from '../../replica/backup/backup-folder.js';
import { BackupError } from '../../replica/backup/errors.js';
import { OpenBackup } from '../../replica/backup/open-backup.js';
import { NodeWorkers } from '../../server/env/node-env.js';
import { NodeDisk } from '../../server/node-disk.js';
import { ReadOnlyDir } from '../files/read-only-disk.js';
import { goJson } from '../render/go.js';
import { formatBytes } from '../render/table.js';
import { ProgressLine } from '../render/progress-line.js';
import { UsageFault, type Context } from './context.js';
import type { Register } from './register.js';

const DIGEST_BYTES = 32;

interface SaveFlags {
  readonly dir?: string;
  readonly name?: string;
}

/** All bytes, of which the last 32 must be the SHA-256 of those before. */
class Receiver {
  readonly #hash = createHash('sha256');
  #tail = Buffer.alloc(0);
  bytes = 0;

  take(blob: Uint8Array): void {
    this.bytes += blob.length;
    const held = Buffer.concat([this.#tail, blob]);
    const end = Math.max(0, held.length - DIGEST_BYTES);
    this.#hash.update(held.subarray(0, end));
    this.#tail = held.subarray(end);
  }

  /** Rejects what was cut short or changed on its way. */
  end(): void {
    if (this.#hash.digest().equals(this.#tail)) return;
    throw new BackupError('DAMAGED', `the ${this.bytes} bytes that came are not what their digest says: try again, of another member perhaps`);
  }
}

async function receive(context: Context, file: FileHandle, held: readonly string[]): Promise<number> {
  const line = new ProgressLine(context.io, 'snapshot');
  const receiver = new Receiver();
  try {
    for await (const { bytes, remainingBytes } of context.client.backup({ held })) {
      receiver.take(bytes);
      await file.writeFile(bytes);
      line.total ??= bytes.length + remainingBytes;
      line.add(bytes.length);
    }
    receiver.end();
    await file.sync();
    return receiver.bytes;
  } finally {
    line.clear();
  }
}

/** Takes the stream into a new file; there is none if it fails. */
async function receiveTo(context: Context, path: string, held: readonly string[] = []): Promise<number> {
  const file = await open(path, 'w', 0o600);
  try {
    return await receive(context, file, held);
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await file.close();
  }
}

async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

interface Said {
  readonly revision: number;
  readonly keys: number;
}

async function look(dir: string, file: string): Promise<Said> {
  const backup = await OpenBackup.open(new ReadOnlyDir(dir), file, new NodeWorkers());
  const { revision, keys } = backup.archive.header;
  backup.close();
  return { revision, keys };
}

async function saveFile(context: Context, path: string): Promise<void> {
  if (existsSync(path) && statSync(path).isDirectory()) throw new UsageFault(`${path} is a folder: give a file, or --dir ${path}`);
  const [dir, file] = [dirname(resolve(path)), basename(path)];
  if (!existsSync(dir)) throw new UsageFault(`the folder ${dir} does not exist`);
  const part = `${resolve(path)}.part`;
  const bytes = await receiveTo(context, part);
  // Believed by what its header and manifest say of themselves; tables are judged by verify.
  const { revision, keys } = await look(dir, `${file}.part`);
  await rename(part, resolve(path));
  await syncDir(dir);
  if (context.format === 'json') context.line(goJson({ file: path, revision, keys, bytes }));
  else context.line(`Snapshot saved at ${path}`);
}

async function saveInFolder(context: Context, dir: string, name: string): Promise<void> {
  if (!/^[\w.:-]+$/.test(name) || name.startsWith('.')) throw new UsageFault(`--name is letters, digits, and ._:- only, got ${JSON.stringify(name)}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const disk = await NodeDisk.open(dir);
  try {
    const folder: Folder = { disk, workers: new NodeWorkers() };
    if (disk.sizeOf(backupPath(name)) !== undefined) throw new UsageFault(`the folder ${dir} has a backup ${JSON.stringify(name)} already`);
    const line = new ProgressLine(context.io, 'reading what the folder has');
    const held = await heldTables(folder, (bytes) => line.add(bytes));
    line.clear();
    const bytes = await receiveTo(context, `${dir}/${INCOMING}`, held);
    tell(context, `${dir}/${backupPath(name)}`, bytes, await foldBackup(folder, name), await look(dir, backupPath(name)));
  } finally {
    await disk.close();
  }
}

function tell(context: Context, path: string, bytes: number, { tables, newTables, newBytes }: Folded, { revision, keys }: Said): void {
  if (context.format === 'json') return context.line(goJson({ file: path, revision, keys, bytes, tables, newTables, newTableBytes: newBytes }));
  context.line(`Snapshot saved at ${path}`);
  context.line(`${newTables} of ${tables} tables were new, ${formatBytes(newBytes)}; ${formatBytes(bytes)} came from the member`);
}

async function save(context: Context, args: readonly string[], { dir, name }: SaveFlags): Promise<void> {
  const [file] = args;
  if (dir === undefined) {
    if (file === undefined || args.length > 1) throw new UsageFault('snapshot save expects one argument, the file, or --dir');
    if (name !== undefined) throw new UsageFault('--name goes with --dir');
    return saveFile(context, file);
  }
  if (file !== undefined) throw new UsageFault('either a file or --dir, not both');
  return saveInFolder(context, dir, name ?? new Date().toISOString().slice(0, 19).replaceAll(':', '-'));
}

export function addSnapshotCommands(register: Register): void {
  const snapshot = register.group('snapshot', 'backups of the whole cluster, taken of one member while it serves', `
  kintsugi ctl snapshot save backup.db
  kintsugi ctl snapshot save --dir /backups --name monday`);
  snapshot.command('save', 'FILE | --dir FOLDER [--name NAME]', 'all that is committed now, to a file or to a folder of backups', save, `
  kintsugi ctl snapshot save backup.db
  kintsugi ctl --endpoints=127.0.0.1:22379 snapshot save --dir /backups --name monday
To look at it: kintsugi snapshot status|verify; to restore it: kintsugi restore.`)
    .option('--dir <folder>', 'copy only the tables that earlier backups in this folder lack')
    .option('--name <name>', 'of the backup in the folder (default: the time)');
}
