/**
 * `kintsugi inspect`: the files of a member, read offline and never written. Exit codes: 0 sound, 1
 * damaged or unreadable, 2 wrong usage. With `--json` the verdict is in the answer, and an answer
 * is code 0.
 */

import { existsSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { KintsugiError } from '../../base/errors.js';
import type { Io } from '../ctl/context.js';
import { processIo } from '../ctl/process-io.js';
import { readHardState, readLog, readManifest, type ManifestView } from './data-dir.js';
import { hardStateJson, logJson, manifestJson, showHardState, showLog, showManifest, showTable, tableJson, type Shown } from './show.js';
import { holderOf, ReadOnlyDir } from '../files/read-only-disk.js';
import { inspectTableFile } from './table-file.js';

class UsageFault extends Error {}

interface Flags {
  readonly json?: boolean;
}

function needDir(dir: string | undefined): string {
  if (dir === undefined) throw new UsageFault('a data directory is needed, the --data-dir of the member');
  if (!existsSync(dir) || !statSync(dir).isDirectory()) throw new UsageFault(`${dir} is not a directory`);
  return dir;
}

async function warnHeld(io: Io, dir: string): Promise<void> {
  const holder = await holderOf(dir);
  if (holder === undefined) return;
  io.err(`Note: ${dir} is held by ${holder}: a node is running on it. What follows is a glimpse that may be torn; stop the node for certainty.\n`);
}

function print(io: Io, flags: Flags, json: () => unknown, shown: () => Shown): number {
  const { text, sound } = shown();
  const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString(16) : value);
  io.out(flags.json === true ? `${JSON.stringify(json(), plain)}\n` : text);
  return sound || flags.json === true ? 0 : 1;
}

async function table(io: Io, file: string | undefined, flags: Flags): Promise<number> {
  if (file === undefined) throw new UsageFault('a table file is needed, such as DATA_DIR/tables/12.sst');
  if (!existsSync(file)) throw new UsageFault(`${file} does not exist`);
  const path = resolve(file);
  const dataDir = dirname(dirname(path));
  if (existsSync(`${dataDir}/LOCK`)) await warnHeld(io, dataDir);
  const view = await inspectTableFile(new ReadOnlyDir(dirname(path)), basename(path));
  return print(io, flags, () => tableJson(file, view), () => showTable(file, view));
}

async function hardstate(io: Io, given: string | undefined, flags: Flags): Promise<number> {
  const dir = needDir(given);
  await warnHeld(io, dir);
  const view = await readHardState(new ReadOnlyDir(dir));
  return print(io, flags, () => hardStateJson(view), () => showHardState(view));
}

async function manifestOf(disk: ReadOnlyDir): Promise<ManifestView> {
  const { record } = await readHardState(disk);
  if (record === undefined) throw new UsageFault('hard state is unreadable, so it is not known which manifest counts; see kintsugi inspect hardstate');
  return readManifest(disk, record);
}

async function manifest(io: Io, given: string | undefined, flags: Flags): Promise<number> {
  const dir = needDir(given);
  await warnHeld(io, dir);
  const disk = new ReadOnlyDir(dir);
  const view = await manifestOf(disk);
  const missing = view.manifest.list().filter((meta) => disk.sizeOf(`tables/${meta.id}.sst`) === undefined).map((meta) => meta.id);
  return print(io, flags, () => manifestJson(view, missing), () => showManifest(view, missing));
}

async function log(io: Io, given: string | undefined, flags: Flags): Promise<number> {
  const dir = needDir(given);
  await warnHeld(io, dir);
  const disk = new ReadOnlyDir(dir);
  const known = await manifestOf(disk).catch((error: unknown) => {
    io.err(`Note: without the manifest it is not known what the log must hold (${error instanceof Error ? error.message : String(error)})\n`);
    return undefined;
  });
  const view = await readLog(disk, known?.manifest);
  return print(io, flags, () => logJson(view), () => showLog(view, known?.manifest));
}

type Run = (io: Io, target: string | undefined, flags: Flags) => Promise<number>;

const PARTS: readonly (readonly [name: string, args: string, help: string, run: Run, examples: string])[] = [
  ['table', 'FILE', 'regions, digests and properties of a table; every block is verified', table, `
  kintsugi inspect table data/tables/12.sst
  kintsugi inspect table data/tables/12.sst --json`],
  ['manifest', 'DATA_DIR', 'levels, tables, seals and plans of the durable manifest; how far it goes', manifest, `
  kintsugi inspect manifest data`],
  ['hardstate', 'DATA_DIR', 'what the member has promised: term and vote, in four copies', hardstate, `
  kintsugi inspect hardstate data`],
  ['log', 'DATA_DIR', 'segments, entries and commit index of the log, and what is damaged', log, `
  kintsugi inspect log data`],
];

/** Runs one command; resolves to its exit code. */
export async function inspect(args: readonly string[], io: Io = processIo()): Promise<number> {
  let code = 0;
  const program = new Command('kintsugi inspect').description('look into the files of a member, offline; nothing is ever written');
  program.addHelpText('after', `
Examples:
  kintsugi inspect log data
  kintsugi inspect table data/tables/12.sst --json`);
  program.addHelpText('after', '\nExit codes: 0 sound (or any answer with --json), 1 damaged or unreadable, 2 wrong usage.');
  for (const [name, usage, help, run, examples] of PARTS) {
    program.command(name).description(help).usage(`${usage} [--json]`).argument('[target]').option('--json', 'for programs')
      .configureHelp({ visibleArguments: () => [] }).addHelpText('after', `\nExamples:${examples}`)
      .action(async (target: string | undefined, flags: Flags) => void (code = await run(io, target, flags)));
  }
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: (text) => io.out(text), writeErr: () => undefined });
  }
  try {
    if (args.length === 0) throw new UsageFault('what is to be inspected? table, manifest, hardstate or log; see kintsugi inspect --help');
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      io.err(`${error.message.replace(/^error:/, 'Error:')}\nSee kintsugi inspect --help\n`);
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
