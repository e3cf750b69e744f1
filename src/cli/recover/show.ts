/** What `kintsugi recover` says, for people. */

import { formatId } from '../../base/ids.js';
import type { Evidence } from '../../replica/readmission/evidence.js';
import type { RecoverIntent } from '../../replica/readmission/intent.js';
import { formatBytes } from '../render/table.js';

export function showEvidence(evidence: Evidence): string[] {
  const { hardState, joined, refused, segments, manifests, tables, tableBytes } = evidence;
  const good = hardState?.slots.filter((slot) => slot !== undefined) ?? [];
  const lines = [];
  if (hardState === undefined) lines.push('hard state: missing');
  else {
    const { record, slots } = hardState;
    const says = record === undefined ? 'they do not agree' : `term ${record.term}, start ${record.incarnation}`;
    const who = good[0] === undefined ? '' : `, of member ${formatId(good[0].memberId)} of cluster ${good[0].clusterId.toString(16)}`;
    lines.push(`hard state: ${good.length} of ${slots.length} copies good, ${says}${who}`);
  }
  if (joined === 'unreadable') lines.push('joined: cannot be read');
  else if (joined !== undefined) lines.push(`joined: member ${formatId(joined.self)} of cluster ${joined.description.clusterId.toString(16)}`);
  lines.push(`log: ${segments} segments`, `manifest: ${manifests} files`, `tables: ${tables}, ${formatBytes(tableBytes)}`);
  if (refused !== undefined) lines.push(`last start: as member ${formatId(refused.self)}, ended with ${refused.why}`);
  return lines;
}

export interface IntentShown {
  /** It was there before. */
  readonly goesOn: boolean;
  /** Nothing was written. */
  readonly dryRun: boolean;
}

export function showIntent({ stage, id, shown, why }: RecoverIntent, { goesOn, dryRun }: IntentShown): string[] {
  const old = shown.length === 0 ? 'the member that its name and peer URL say it was' : `member ${shown.map(formatId).join(', then ')}`;
  const lines = [`why: ${why}`];
  if (goesOn && stage === 'begun') return [...lines, `it was admitted as member ${formatId(id)}: start it, it goes on`];
  if (goesOn) lines.push(`it is being re-admitted as member ${formatId(id)} in the place of ${old}: start it, it goes on`);
  else lines.push(`${dryRun ? 'it would' : 'it will'} be re-admitted as the new member ${formatId(id)} in the place of ${old}, which never votes again`);
  lines.push(
    'the next start, with the flags as always, asks the cluster: it is let in while the old member is not active, gets what it lacks,',
    'and takes the old one\'s place in one change. Tables that are good are kept; hard state and log are set aside until then',
  );
  if (dryRun && !goesOn) lines.push('nothing was changed (--dry-run)');
  return lines;
}
