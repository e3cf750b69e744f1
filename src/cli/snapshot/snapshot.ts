/**
 * `kintsugi snapshot`: backups, looked at without a cluster and never written. Exit codes: 0 sound,
 * 1 damaged, 2 wrong usage.
 */

import { Command, CommanderError } from 'commander';
import { toHex } from '../../base/bytes.js';
import { KintsugiError } from '../../base/errors.js';
import { describeDamage, type BackupDamage } from '../../replica/backup/errors.js';
import type { OpenBackup } from '../../replica/backup/open-backup.js';
import { FORMATS, UsageFault, type Format, type Io } from '../ctl/context.js';
import { processIo } from '../ctl/process-io.js';
import { goJson, type GoValue } from '../render/go.js';
import { boxTable, formatBytes } from '../render/table.js';
import { locate, openBackup, type BackupPlace } from './locate.js';
import { ProgressLine } from '../render/progress-line.js';

interface Flags {
  readonly writeOut?: string;
}

interface Summary {
  readonly path: string;
  readonly hash: number;
  readonly revision: number;
  readonly keys: number;
  readonly size: number;
  readonly digest: string;
  readonly more: Readonly<Record<string, GoValue>>;
}

/** etcdctl's numbers; the size is that of the file and of tables that it shares with others. */
function summaryOf(path: string, { archive }: OpenBackup): Summary {
  const { header, version } = archive;
  const digest = toHex(archive.digest());
  const beside = version.list().reduce((sum, table) => sum + (archive.holds(table.id) ? 0 : table.bytes), 0);
  return {
    path, digest, hash: Number.parseInt(digest.slice(0, 8), 16), revision: header.revision, keys: header.keys, size: archive.bytes + beside,
    more: {
      compactRevision: header.compactRevision, index: header.index, term: header.term, tables: version.list().length,
      clusterId: header.clusterId.toString(16), memberId: header.memberId.toString(16), clusterVersion: header.clusterVersion,
    },
  };
}

function show(io: Io, format: Format, summaries: readonly Summary[]): void {
  switch (format) {
    case 'json':
      for (const { path, hash, revision, keys, size, digest, more } of summaries) {
        io.out(`${goJson({ hash, revision, totalKey: keys, totalSize: size, digest, ...more, file: path })}\n`);
      }
      return;
    case 'table':
      io.out(boxTable(['hash', 'revision', 'total keys', 'total size', 'digest'],
        summaries.map(({ hash, revision, keys, size, digest }) => [hash.toString(16).padStart(8, '0'), revision, keys, formatBytes(size), digest])));
      return;
    case 'fields':
      for (const { hash, revision, keys, size, digest, more } of summaries) {
        const rest = Object.entries(more).map(([name, value]) => `"${name.charAt(0).toUpperCase()}${name.slice(1)}" : ${goJson(value)}\n`);
        io.out(`"Hash" : ${hash}\n"Revision" : ${revision}\n"Keys" : ${keys}\n"Size" : ${size}\n"Digest" : "${digest}"\n${rest.join('')}`);
      }
      return;
    case 'simple':
      for (const { path, hash, revision, keys, size } of summaries) {
        const name = summaries.length > 1 ? `${path}: ` : '';
        io.out(`${name}${hash.toString(16).padStart(8, '0')}, ${revision}, ${keys}, ${formatBytes(size)}\n`);
      }
  }
}

async function withBackup<T>(place: BackupPlace, use: (backup: OpenBackup) => T | Promise<T>): Promise<T> {
  const backup = await openBackup(place);
  try {
    return await use(backup);
  } finally {
    backup.close();
  }
}

async function status(io: Io, format: Format, path: string | undefined, name: string | undefined): Promise<number> {
  const summaries: Summary[] = [];
  for (const place of await locate(path, name)) summaries.push(await withBackup(place, (backup) => summaryOf(place.path, backup)));
  show(io, format, summaries);
  return 0;
}

async function verify(io: Io, format: Format, path: string | undefined, name: string | undefined): Promise<number> {
  let bad = 0;
  for (const place of await locate(path, name)) {
    const said = await verifyOne(io, place);
    if (said.damages.length > 0) bad++;
    if (format === 'json') io.out(`${goJson({ file: place.path, sound: said.damages.length === 0, damages: said.damages })}\n`);
    else if (said.damages.length === 0) io.out(`${place.path}: sound, ${said.summary}\n`);
    else io.out(`${place.path}: DAMAGED\n${said.damages.map((damage) => `  ${damage}\n`).join('')}`);
  }
  return bad === 0 ? 0 : 1;
}

async function verifyOne(io: Io, place: BackupPlace): Promise<{ readonly damages: readonly string[]; readonly summary: string }> {
  try {
    return await withBackup(place, async (backup) => {
      const line = new ProgressLine(io, `verify ${place.path}`, backup.totalBytes);
      const damages = await backup.damages((bytes) => line.add(bytes));
      line.clear();
      const { revision, keys, size } = summaryOf(place.path, backup);
      return { damages: damages.map(describeDamage), summary: `revision ${revision}, ${keys} keys, ${formatBytes(size)}: every byte is what it was` };
    });
  } catch (error) {
    if (!(error instanceof KintsugiError)) throw error;
    const { damages } = error.data as { readonly damages?: readonly BackupDamage[] };
    return { damages: damages?.map(describeDamage) ?? [error.message.slice(error.code.length + 2)], summary: '' };
  }
}

type Run = (io: Io, format: Format, path: string | undefined, name: string | undefined) => Promise<number>;

const COMMANDS: readonly (readonly [name: string, help: string, run: Run, examples: string])[] = [
  ['status', 'revision, keys, size and digest of a backup, or of all in a folder', status, `
  kintsugi snapshot status backup.db -w table
  kintsugi snapshot status /backups
  kintsugi snapshot status /backups monday -w json`],
  ['verify', 'reads every byte of a backup and says whether it can be restored', verify, `
  kintsugi snapshot verify backup.db
  kintsugi snapshot verify /backups`],
];

function formatOf(flags: Flags): Format {
  const format = flags.writeOut ?? 'simple';
  if (!FORMATS.some((f) => f === format)) throw new UsageFault(`--write-out is one of ${FORMATS.join(', ')}, got ${JSON.stringify(format)}`);
  return format as Format;
}

/** Runs one command; resolves to its exit code. */
export async function snapshot(args: readonly string[], io: Io = processIo()): Promise<number> {
  let code = 0;
  const program = new Command('kintsugi snapshot').description('look at backups, without a cluster; nothing is ever written');
  program.addHelpText('after', `
Examples:
  kintsugi snapshot status /backups -w table
  kintsugi snapshot verify backup.db

A backup is taken with kintsugi ctl snapshot save, and restored with kintsugi restore.

Exit codes: 0 sound, 1 damaged or unreadable, 2 wrong usage.`);
  for (const [name, help, run, examples] of COMMANDS) {
    program.command(name).description(help).usage('FILE | FOLDER [NAME] [-w FORMAT]').argument('[path]').argument('[name]')
      .option('-w, --write-out <format>', 'simple, json, table or fields').configureHelp({ visibleArguments: () => [] })
      .addHelpText('after', `\nExamples:${examples}`)
      .action(async (path: string | undefined, of: string | undefined, flags: Flags) => {
        code = await run(io, formatOf(flags), path, of);
      });
  }
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: (text) => io.out(text), writeErr: () => undefined });
  }
  try {
    if (args.length === 0) throw new UsageFault('status or verify? see kintsugi snapshot --help; to take one: kintsugi ctl snapshot save; to restore: kintsugi restore');
    await program.parseAsync(args.map((arg) => arg.replace(/^-w=/, '--write-out=')), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      io.err(`${error.message.replace(/^error:/, 'Error:')}\nSee kintsugi snapshot --help\n`);
      return 2;
    }
    if (error instanceof UsageFault) {
      io.err(`Error: ${error.message}\n`);
      return 2;
    }
    if (error instanceof KintsugiError) {
      io.err(`Error: ${error.message.slice(error.code.length + 2)}\n`);
      return 1;
    }
    throw error;
  }
}
