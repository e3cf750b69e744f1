/**
 * Which fault struck which structure, and which branches of the store ran, over many runs. A cell
 * that can be hit and never was is a hole in the net: it fails the report, and so does a cell that
 * is listed as impossible and was hit all the same.
 */

import type { KintsugiEvent } from '../../base/events.js';
import { DISK_FAULTS, MEMBER_FAULTS, NETWORK_FAULTS, OPS_FAULTS, PROCESS_FAULTS, STRUCTURES, type DiskFault, type Structure } from '../../sim/model/fault.js';
import { JUDGEMENTS, RECOVERIES } from '../../replica/log/log-ways.js';
import { CURED } from '../../sim/cluster/recover.js';
import { logWay, PATHS, readmitted } from '../../sim/model/paths.js';
import { plainTable } from '../render/table.js';

/** A cell that cannot be, or `seldom` is, and why. */
export interface Impossible {
  readonly fault: DiskFault;
  readonly structure: Structure;
  readonly why: string;
  readonly seldom: boolean;
}

export interface CoverageReport {
  /**
   * `bit-flip x log-record`, a network or process fault, or a path: can be met and never was.
   */
  readonly empty: readonly string[];
  /** Listed as impossible, and struck. */
  readonly contradicted: readonly string[];
  readonly matrix: Readonly<Record<string, Readonly<Record<string, number | null>>>>;
  readonly network: Readonly<Record<string, number>>;
  readonly process: Readonly<Record<string, number>>;
  readonly members: Readonly<Record<string, number>>;
  /** Empty: nobody was to do any of it. */
  readonly ops: Readonly<Record<string, number>>;
  /** Counts that are no faults, by name. */
  readonly branches: Readonly<Record<string, number>>;
  /** Events of the store that no run saw. */
  readonly silentEvents: readonly string[];
}

/**
 * Total, so that a new kind of event is missed here by the compiler; but for those of the server,
 * which is not simulated.
 */
const EVENTS: Readonly<Record<Exclude<KintsugiEvent['type'], 'tls-reloaded' | 'health-checked'>, true>> = {
  'role-changed': true, 'leader-lost': true, 'log-sync': true, applied: true,
  'leases-changed': true, 'leases-renewed': true, 'leases-expired': true,
  'proposal-reproposed': true, 'proposal-failed': true, sealed: true,
  plan: true, produced: true, 'digest-disagreed': true, edit: true, 'edit-refused': true, materialized: true, 'snapshot-sent': true,
  'snapshot-received': true, 'snapshot-progress': true, 'log-truncated': true, 'block-corrected': true, 'block-unreadable': true,
  'block-repaired': true, hint: true,
  'hints-forwarded': true, 'hints-received': true, 'heal-proposed': true, 'heal-applied': true, 'heal-failed': true, 'scrub-done': true,
  'members-changed': true, readmission: true, 'log-way': true, 'disk-failed': true, 'disk-room': true, warning: true,
};

/** Branches of the store that many runs together must have gone. */
export const REQUIRED: readonly string[] = [
  ...Object.values(PATHS),
  ...JUDGEMENTS.map((way) => logWay('judgement', way)),
  ...RECOVERIES.map((way) => logWay('recovery', way)),
  ...[...CURED].flatMap((code) => [readmitted('itself', code), readmitted('an operator', code)]),
];

/** Where things meet that are rare: a tour of seeds need not have them. */
const SELDOM: ReadonlySet<string> = new Set([
  // More entries than anybody writes in a run, or a log that begins with what is lost.
  logWay('judgement', 'gap skipped'),
  // A tail that is gone without a trace in the log's own files: what strikes them leaves one, or
  // nobody could tell the loss from a write that never came to an end.
  logWay('judgement', 'manifest knows more'),
  // The file `recovering` is there for seconds.
  readmitted('itself', 'INTENT_UNREADABLE'), readmitted('an operator', 'INTENT_UNREADABLE'),
]);

/** `ops`: of profiles in which operators act, too. */
export function coverageReport(counts: ReadonlyMap<string, number>, impossible: readonly Impossible[], ops = false): CoverageReport {
  const cannot = new Map(impossible.map((cell) => [`${cell.fault} ${cell.structure}`, cell]));
  const empty: string[] = [];
  const contradicted: string[] = [];
  const matrix: Record<string, Record<string, number | null>> = {};
  for (const fault of DISK_FAULTS) {
    const row: Record<string, number | null> = {};
    for (const structure of STRUCTURES) {
      const n = counts.get(`fault ${fault} ${structure}`) ?? 0;
      const listed = cannot.get(`${fault} ${structure}`);
      row[structure] = n === 0 && listed !== undefined ? null : n;
      if (n === 0 && listed === undefined) empty.push(`${fault} x ${structure}`);
      if (n > 0 && listed?.seldom === false) contradicted.push(`${fault} x ${structure}`);
    }
    matrix[fault] = row;
  }
  for (const branch of REQUIRED) if ((counts.get(branch) ?? 0) === 0 && !SELDOM.has(branch)) empty.push(branch);
  const plain = (kinds: readonly string[]): Record<string, number> => Object.fromEntries(kinds.map((kind) => {
    const n = counts.get(`fault ${kind}`) ?? 0;
    if (n === 0) empty.push(kind);
    return [kind, n];
  }));
  return {
    network: plain(NETWORK_FAULTS), process: plain(PROCESS_FAULTS), members: plain(MEMBER_FAULTS),
    ops: ops ? plain(OPS_FAULTS) : {}, empty, contradicted, matrix,
    branches: Object.fromEntries([...counts].filter(([name]) => !name.startsWith('fault ')).sort(([a], [b]) => (a < b ? -1 : 1))),
    silentEvents: Object.keys(EVENTS).filter((type) => !counts.has(`event ${type}`)),
  };
}

const SHORT: Readonly<Record<string, string>> = { properties: 'props', hardstate: 'hard' };

/** The first word of each structure once, in a line above the second words. */
function matrixText(report: CoverageReport): string {
  const words = STRUCTURES.map((structure) => {
    const [first = '', second = ''] = structure.split('-');
    return [SHORT[first] ?? first, SHORT[second] ?? second] as const;
  });
  const cells = DISK_FAULTS.map((fault) => STRUCTURES.map((structure) => {
    const n = report.matrix[fault]?.[structure];
    return n === null || n === undefined ? '-' : n === 0 ? '!!' : String(n);
  }));
  const widths = words.map(([first, second], i) => Math.max(first.length, second.length, ...cells.map((row) => (row[i] as string).length)));
  const label = Math.max(...DISK_FAULTS.map((fault) => fault.length));
  const line = (name: string, row: readonly string[]): string => `${name.padEnd(label)} ${row.map((cell, i) => cell.padStart(widths[i] as number)).join(' ')}`.trimEnd() + '\n';
  const head = line('', words.map(([first]) => first)) + line('', words.map(([, second]) => second));
  return head + DISK_FAULTS.map((fault, i) => line(fault, cells[i] as readonly string[])).join('');
}

function counted(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([name, n]) => `  ${name} ${n === 0 ? '!!' : n}\n`).join('');
}

export function coverageText(report: CoverageReport, impossible: readonly Impossible[]): string {
  const branches = Object.entries(report.branches);
  const groups = new Map<string, [string, number][]>();
  for (const [name, n] of branches) {
    const space = name.indexOf(' ');
    const group = space < 0 ? 'other' : name.slice(0, space);
    groups.set(group, [...(groups.get(group) ?? []), [space < 0 ? name : name.slice(space + 1), n]]);
  }
  const parts = [
    `Disk faults by what they struck (- cannot be or seldom is, !! never struck)\n\n${matrixText(report)}`,
    `Network faults\n\n${counted(report.network)}`,
    `Process faults\n\n${counted(report.process)}`,
    `Changes of the members\n\n${counted(report.members)}`,
    ...(Object.keys(report.ops).length === 0 ? [] : [`What hosts and operators do\n\n${counted(report.ops)}`]),
    ...[...groups].map(([group, rows]) => `Branches: ${group}\n\n${plainTable(['what', 'times'], rows, '  ')}`),
  ];
  if (report.silentEvents.length > 0) parts.push(`Events that no run saw: ${report.silentEvents.join(', ')}\n`);
  const sorry = impossible.length === 0 ? '' : `${impossible.length} cells cannot be, or seldom are; each has its reason in src/sim/faults/impossible.ts\n`;
  const wrong = report.contradicted.length === 0 ? '' : `listed as impossible, yet struck: ${report.contradicted.join(', ')}\n`;
  const verdict = report.empty.length === 0 ? 'no empty cell\n' : `${report.empty.length} empty: ${report.empty.join(', ')}\n`;
  return `${parts.join('\n')}\n${sorry}${wrong}${verdict}`;
}
