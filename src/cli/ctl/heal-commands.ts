/**
 * heal status, heal hints, heal verify and scrub: what members know of their damage, and how to
 * make them look for it.
 */

import { ClientError, type HealStatus, type Hint, type ScrubProgress, type Verification } from '../../client/client.js';
import { goJson, type GoValue } from '../render/go.js';
import { formatBytes, formatSeconds, plainTable, type Cell } from '../render/table.js';
import { explain, Failed, UsageFault, type Context } from './context.js';
import type { Register } from './register.js';
import { progressJson, ScrubView } from './scrub-view.js';

interface ClusterFlag {
  readonly cluster?: boolean;
}

export interface Answer<T> {
  readonly endpoint: string;
  readonly value: T;
}

/**
 * Asks all of them; those that do not answer are told on standard error and missing from the
 * result.
 */
export async function askAll<T>(context: Context, targets: readonly string[], ask: (endpoint: string) => Promise<T>): Promise<Answer<T>[]> {
  const answers: Answer<T>[] = [];
  await Promise.all(targets.map(async (endpoint, i) => {
    try {
      answers[i] = { endpoint, value: await ask(endpoint) };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      context.io.err(explain(error));
    }
  }));
  return answers.filter((answer) => answer !== undefined);
}

function only<T>(context: Context, answers: readonly Answer<T>[], targets: readonly string[]): void {
  if (answers.length < targets.length) throw new Failed(`${targets.length - answers.length} of ${targets.length} endpoints did not answer`);
}

export function hintJson(hint: Hint): GoValue {
  return { tableId: hint.tableId, kind: hint.kind, node: hint.node.toString(16), state: hint.state, offsets: hint.offsets ?? 'all' };
}

function healJson({ endpoint, value: s }: Answer<HealStatus>): GoValue {
  return {
    endpoint, name: s.name, memberId: s.memberId.toString(16), leader: s.leader.toString(16), counters: { ...s.counters },
    scrub: progressJson(s.scrub), hints: s.hints.map(hintJson),
  };
}

export function scrubWords(scrub: ScrubProgress, now: number): string {
  if (scrub.state === 'running') {
    const percent = scrub.totalBytes > 0 ? ` ${Math.floor((100 * scrub.scannedBytes) / scrub.totalBytes)} %` : '';
    return `running${percent}`;
  }
  return scrub.lastCompletedAt === undefined ? 'never' : `${formatSeconds(Math.max(0, now - scrub.lastCompletedAt))} ago`;
}

const HEAL_HEADERS = ['MEMBER', 'CORRECTED', 'TRANSIENT', 'BEYOND PARITY', 'REPAIRED', 'HINTS OPEN', 'SENT', 'GOT', 'HEALS PROPOSED', 'APPLIED', 'FAILED', 'LAST SCRUB'];

function healRow({ value: s }: Answer<HealStatus>): Cell[] {
  const { counters: c } = s;
  return [
    s.leader === s.memberId ? `${s.name} (leader)` : s.name, c.correctedBlocks, c.transientFaults, c.uncorrectableBlocks, c.repairedBlocks,
    s.hints.length, c.hintsForwarded, c.hintsReceived, c.healsProposed, c.healsApplied, c.healsFailed, scrubWords(s.scrub, Date.now()),
  ];
}

async function healStatus(context: Context, _args: readonly string[], flags: ClusterFlag): Promise<void> {
  const targets = await context.targets(flags.cluster ?? false);
  const answers = await askAll(context, targets, (endpoint) => context.client.heal.status({ endpoint }));
  if (context.format === 'json') context.io.out(`${goJson(answers.map(healJson))}\n`);
  else context.io.out(plainTable(HEAL_HEADERS, answers.map(healRow)));
  only(context, answers, targets);
}

function blocksOf(hint: Hint): string {
  if (hint.offsets === undefined) return 'all of the table';
  const shown = hint.offsets.slice(0, 4).join(' ');
  return hint.offsets.length > 4 ? `${shown} and ${hint.offsets.length - 4} more` : shown;
}

async function healHints(context: Context, _args: readonly string[], flags: ClusterFlag): Promise<void> {
  const targets = await context.targets(flags.cluster ?? false);
  const answers = await askAll(context, targets, (endpoint) => context.client.heal.hints({ endpoint }));
  if (context.format === 'json') {
    context.io.out(`${goJson(answers.map(({ endpoint, value }) => ({ endpoint, hints: value.map(hintJson) })))}\n`);
  } else {
    const rows = answers.flatMap(({ endpoint, value }) => value.map((hint) => [
      endpoint, hint.tableId, hint.kind, hint.node.toString(16), hint.state, blocksOf(hint),
    ]));
    if (rows.length === 0) context.line('no hints: nothing that is known to be damaged');
    else context.io.out(plainTable(['KNOWN AT', 'TABLE', 'FAULT', 'ON MEMBER', 'STATE', 'BLOCKS AT'], rows));
  }
  only(context, answers, targets);
}

/** Which tables differ between members that have applied the same. */
function differences(answers: readonly Answer<Verification>[]): string[] {
  const [first, ...others] = answers;
  if (first === undefined) return [];
  const digests = new Map(first.value.tables.map((table) => [table.id, table.digest]));
  return others.flatMap(({ value }) => {
    const own = new Map(value.tables.map((table) => [table.id, table.digest]));
    const ids = new Set([...digests.keys(), ...own.keys()]);
    return [...ids].filter((id) => own.get(id) !== digests.get(id)).map((id) => `table ${id} of ${value.name} and ${first.value.name}`);
  });
}

async function verify(context: Context): Promise<void> {
  const targets = await context.targets(true);
  const answers = await askAll(context, targets, (endpoint) => context.client.heal.verify({ endpoint }));
  const differ = differences(answers);
  const comparable = new Set(answers.map(({ value }) => value.materializedIndex)).size <= 1;
  if (context.format === 'json') {
    const members = answers.map(({ endpoint, value }) => ({
      endpoint, ...value, memberId: value.memberId.toString(16), tables: value.tables.map((t) => ({ ...t })),
    }));
    context.io.out(`${goJson({ equal: differ.length === 0, comparable, members })}\n`);
  } else {
    const rows = answers.map(({ value: v }) => [
      v.name, v.tables.length, formatBytes(v.tables.reduce((sum, t) => sum + t.bytes, 0)), v.materializedIndex, v.appliedIndex, v.revision,
    ]);
    context.io.out(plainTable(['MEMBER', 'TABLES', 'SIZE', 'MATERIALIZED', 'APPLIED', 'REVISION'], rows));
    const who = answers.length === targets.length ? 'all members' : `the ${answers.length} of ${targets.length} members that answered`;
    if (differ.length === 0 && answers.length > 0) context.line(`equal: ${who} have the same tables with the same digests`);
    else if (differ.length > 0) context.line(`different: ${differ.slice(0, 8).join(', ')}${differ.length > 8 ? ` and ${differ.length - 8} more` : ''}`);
  }
  only(context, answers, targets);
  if (differ.length > 0) throw new Failed(comparable ? 'members disagree about the same state' : 'members are not at the same point yet: try again in a moment');
}

interface ScrubFlags extends ClusterFlag {
  readonly rate?: string;
}

/** Bytes of `32MiB`, `32M` or a plain number. */
function rateOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const [, digits, unit] = /^(\d+)\s*([KMG]?)(?:i?B)?(?:\/s)?$/i.exec(text) ?? [];
  if (digits === undefined) throw new UsageFault(`--rate is a number of bytes per second such as 32MiB, got ${JSON.stringify(text)}`);
  return Number(digits) * { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[(unit ?? '').toUpperCase() as '' | 'K' | 'M' | 'G'];
}

async function scrubOne(context: Context, endpoint: string, bytesPerSecond: number, view: ScrubView): Promise<ScrubProgress> {
  let last: ScrubProgress | undefined;
  for await (const progress of context.client.heal.scrub({ endpoint, bytesPerSecond })) {
    last = progress;
    view.update(endpoint, progress);
  }
  if (last?.done !== true) throw new ClientError('UNAVAILABLE', { details: 'the scrub ended before it was through', endpoint });
  return last;
}

async function scrub(context: Context, _args: readonly string[], flags: ScrubFlags): Promise<void> {
  const rate = rateOf(flags.rate);
  const targets = await context.targets(flags.cluster ?? false);
  const view = new ScrubView(context, targets);
  const answers = await askAll(context, targets, (endpoint) => scrubOne(context, endpoint, rate, view));
  view.clear();
  if (context.format !== 'json') {
    const rows = answers.map(({ endpoint, value: p }) => [
      endpoint, p.totalTables, p.blocks, formatBytes(p.scannedBytes), formatSeconds(p.durationMs), p.faults, p.pastCache ? 'yes' : 'no',
    ]);
    context.io.out(plainTable(['ENDPOINT', 'TABLES', 'BLOCKS', 'READ', 'TIME', 'FAULTS', 'PAST CACHES'], rows));
    const faults = answers.reduce((sum, { value }) => sum + value.faults, 0);
    if (answers.length > 0) context.line(faults === 0 ? 'no faults' : `${faults} faults: see kintsugi ctl heal hints; a second scrub finds nothing once they are healed`);
  }
  only(context, answers, targets);
}

export function addHealCommands(register: Register): void {
  const cluster = ['--cluster', 'all members, as the member list names them'] as const;
  const heal = register.group('heal', 'what members know of their damage and its mending', `
  kintsugi ctl heal hints --cluster
  kintsugi ctl heal verify`);
  heal.command('status', '', 'counters of corrections, repairs, hints and heals', healStatus, `
  kintsugi ctl heal status --cluster
  kintsugi ctl heal status --cluster -w json`).option(...cluster);
  heal.command('hints', '', 'faults that are confirmed and not yet healed', healHints, `
  kintsugi ctl heal hints --cluster`).option(...cluster);
  heal.command('verify', '', 'compare the tables of all members by their digests', verify, `
  kintsugi ctl heal verify`);
  register.command('scrub', '', 'read every block past the caches; what is rotten is reported and healed', scrub, `
  kintsugi ctl scrub --cluster
  kintsugi ctl --endpoints=127.0.0.1:22379 scrub --rate=32MiB
  kintsugi ctl scrub --cluster -w json            one JSON object per change`)
    .option(...cluster)
    .option('--rate <bytes>', 'bytes per second and member; default: as fast as the disk allows');
}
