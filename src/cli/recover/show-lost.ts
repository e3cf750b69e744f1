/** What `kintsugi recover --force-new-cluster` found and would lose. */

import { fromUtf8, toHex } from '../../base/bytes.js';
import { formatId } from '../../base/ids.js';
import type { Findings, Keys } from '../../replica/lost-cluster/findings.js';
import type { KeyRange } from '../../replica/lost-cluster/touched-keys.js';
import type { GoValue } from '../render/go.js';
import { formatBytes } from '../render/table.js';

const NONE = 'not known';

function keyText(key: Uint8Array): string {
  const text = fromUtf8(key);
  return /^[\x20-\x7e]*$/.test(text) ? JSON.stringify(text) : `0x${toHex(key.subarray(0, 64))}${key.length > 64 ? '...' : ''}`;
}

function rangeText({ key, rangeEnd }: KeyRange): string {
  if (rangeEnd.length === 0) return keyText(key);
  return rangeEnd.length === 1 && rangeEnd[0] === 0 ? `all from ${keyText(key)} on` : `all from ${keyText(key)} up to ${keyText(rangeEnd)}`;
}

function keyLines({ entries, ranges, more }: Keys): string[] {
  if (entries === 0) return ['    none of them is a client\'s'];
  const lines = ranges.map((range) => `    ${rangeText(range)}`);
  return [`    ${entries} of clients, which may change these keys:`, ...lines, ...(more ? ['    and more'] : [])];
}

function spanText(from: number, through: number): string {
  return from === through ? `entry ${from}` : `entries ${from} to ${through}`;
}

export function showFindings(findings: Findings): string[] {
  const { clusterId, memberId, problems, tables, bytes, flushed, logFirst, logLast, committed, kept, members } = findings;
  const compacted = findings.compactRevision > 0 ? `, compacted up to ${findings.compactRevision}` : '';
  const lines = [
    `  member ${memberId === undefined ? NONE : formatId(memberId)} of cluster ${clusterId?.toString(16) ?? NONE}, in term ${findings.term}`,
    ...problems.map((problem) => `  ${problem}`),
    `  tables: ${tables}, ${formatBytes(bytes)}, with all up to log entry ${flushed.index}`,
    logLast < logFirst ? '  log: empty' : `  log: ${spanText(logFirst, logLast)}; known to be committed up to ${committed}`,
  ];
  if (members !== undefined) lines.push(`  members by the log: ${members.map(({ id, name }) => `${name === '' ? '(unnamed)' : name} ${formatId(id)}`).join(', ')}`);
  if (findings.removed) lines.push('  BY ITS LOG THIS MEMBER WAS REMOVED: what the others did afterwards is not here');
  lines.push('', `KEPT: all up to entry ${kept.index} of term ${kept.term}: revision ${findings.revision}${compacted}`);
  return [...lines, ...lossLines(findings)];
}

function asideLines({ aside, kept }: Findings): string[] {
  return aside.flatMap(({ folder, first, last, beyond }) => [
    '', `NOT CONSIDERED: ${spanText(first, last)} in ${folder}, set aside because this member was to be re-admitted and has not got its vote:`,
    beyond === 0
      ? `  none of them is after entry ${kept.index}, where the new cluster begins`
      : `  ${beyond} after entry ${kept.index} can be read, may have been acknowledged, and are NOT in the new cluster. To see what would come of them:
` +
        `  copy this directory, put what is in ${folder.replace(/\/log$/, '')} in the place of its log/ and hardstate, remove recovering, and run this there`,
  ]);
}

function lossLines(findings: Findings): string[] {
  const { unsure, lost, torn, badTables, historyLost, kept } = findings;
  const lines: string[] = asideLines(findings);
  if (unsure !== undefined) {
    const { from, through, keys } = unsure;
    lines.push('', `NOT KNOWN TO BE COMMITTED: ${spanText(from, through)}. They are kept, and are committed by that:`, ...keyLines(keys));
  }
  if (lost !== undefined) {
    const { from, through, open, why, sound, keys } = lost;
    lines.push('', `LOST FOR CERTAIN: ${spanText(from, through)}${open ? ', and perhaps more behind' : ''}: ${why}`);
    if (sound > 0) lines.push(`  ${sound} of them can be read, and are given up because what comes before is missing:`, ...keyLines(keys));
  }
  for (const { table, stretches, why } of badTables) {
    lines.push('', `LOST FOR CERTAIN: ${stretches} stretches of table ${table.id} (${why}): to read a key in them fails with DATA_LOSS`);
  }
  if (historyLost) lines.push('', 'LOST FOR CERTAIN: older revisions: the tables may have dropped some of them, so all before the last one are compacted');
  if (torn > 0) lines.push('', `NOT KEPT: ${torn} entries at the end of the log whose write never finished`);
  return [
    ...lines, '',
    `NOT KNOWN: what the other members acknowledged after entry ${kept.index} is not here. It is lost, and nobody can tell how much or what it was`,
    '',
    'Is the directory of another member left, too? Run this on each with --dry-run, and go on with the one that keeps the highest term,',
    `and of those the highest entry. Here: term ${kept.term}, entry ${kept.index}`,
  ];
}

function keysJson({ entries, ranges, more }: Keys): GoValue {
  return { entries, more, ranges: ranges.map(({ key, rangeEnd }) => (rangeEnd.length === 0 ? { key } : { key, range_end: rangeEnd })) };
}

export function findingsJson(findings: Findings): Readonly<Record<string, GoValue | undefined>> {
  const { clusterId, memberId, members, unsure, lost, badTables, kept, flushed, problems, aside, ...rest } = findings;
  return {
    ...rest,
    clusterId: clusterId?.toString(16), memberId: memberId === undefined ? undefined : formatId(memberId), problems,
    members: members?.map(({ id, name, peerUrls }) => ({ id: formatId(id), name, peerUrls })),
    kept: { ...kept }, flushed: { ...flushed },
    unsure: unsure && { from: unsure.from, through: unsure.through, keys: keysJson(unsure.keys) },
    lost: lost && { ...lost, keys: keysJson(lost.keys) },
    aside: aside.map((log) => ({ ...log })),
    badTables: badTables.map(({ table, stretches, why }) => ({ id: table.id, stretches, why })),
  };
}
