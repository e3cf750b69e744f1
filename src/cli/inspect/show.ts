/** What inspect found, for people and for programs. */

import { fromUtf8, toHex } from '../../base/bytes.js';
import { formatScheme } from '../../ecc/scheme.js';
import { decodeInternalKey, isInternalKey } from '../../storage/base/key.js';
import { formatBirth, type TableMeta } from '../../storage/table/table-meta.js';
import { formatBytes, plainTable, type Cell } from '../render/table.js';
import type { HardStateView, LogView, ManifestView } from './data-dir.js';
import type { TableFileView } from './table-file.js';

export interface Shown {
  readonly text: string;
  /** Nothing is damaged. */
  readonly sound: boolean;
}

function rows(pairs: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padStart(width)}: ${value}\n`).join('');
}

/** A key as its user wrote it, if it is one of the store's internal keys. */
function keyText(bytes: Uint8Array): string {
  const internal = isInternalKey(bytes) ? decodeInternalKey(bytes) : undefined;
  const key = internal?.key ?? bytes;
  const space = internal?.space === 0 ? 'system ' : '';
  const text = fromUtf8(key);
  return /^[\x20-\x7e]+$/.test(text) ? `${space}${JSON.stringify(text)}` : `${space}0x${toHex(key.subarray(0, 48))}${key.length > 48 ? '...' : ''}`;
}

export function tableJson(file: string, view: TableFileView): object {
  const { footer, properties, regions, bytes, statedBytes, scheme, rootDigest, fileDigest, pastCache } = view;
  return {
    file, bytes, statedBytes, scheme, rootDigest, fileDigest, pastCache, birth: formatBirth(footer.birth), format: footer.format,
    sound: regions.every((region) => region.state === 'ok') && bytes === statedBytes,
    regions,
    properties: properties && { ...properties, smallest: toHex(properties.smallest), largest: toHex(properties.largest) },
  };
}

export function showTable(file: string, view: TableFileView): Shown {
  const bad = view.regions.filter((region) => region.state !== 'ok');
  const p = view.properties;
  const { footer } = view;
  const head = rows([
    ['table', file],
    ['bytes', view.bytes === view.statedBytes ? view.bytes : `${view.bytes}, but its footer says ${view.statedBytes}`],
    ['birth', formatBirth(footer.birth)],
    ['parity', `${view.scheme}, blocks of ${formatBytes(footer.format.blockBytes)}, codec ${footer.format.codec}, filter ${footer.format.filterBitsPerKey} bits a key`],
    ['root digest', view.rootDigest],
    ['file digest', view.fileDigest],
    ...(p === undefined ? ([['properties', 'unreadable']] as const) : ([
      ['entries', `${p.entries} (${p.tombstones} deletions) in ${p.dataBlocks} blocks, ${formatBytes(p.rawBytes)} before prefixes`],
      ['revisions', `${p.minRevision} to ${p.maxRevision}, live delta ${p.liveDelta}`],
      ['keys', `${keyText(p.smallest)} to ${keyText(p.largest)}`],
    ] as const)),
    ['read', view.pastCache ? 'past the page cache' : 'through the page cache: the medium may differ'],
  ]);
  const list = plainTable(
    ['REGION', 'OFFSET', 'LENGTH', 'HEADER', 'PAYLOAD', 'PARITY', 'DIGEST', 'STATE'],
    view.regions.map((r) => [r.kind, r.offset, r.length, r.headerBytes, r.payloadBytes, r.parityBytes, r.digest, r.why === '' ? r.state : `${r.state}: ${r.why}`]),
  );
  const sound = bad.length === 0 && view.bytes === view.statedBytes;
  const verdict = sound
    ? 'sound: every block verifies and every byte of parity fits'
    : `damaged: ${bad.length} of ${view.regions.length} regions; ${bad.filter((r) => r.state === 'unreadable' || r.state === 'missing').length} beyond their own parity`;
  return { text: `${head}\n${list}\n${verdict}\n`, sound };
}

export function hardStateJson(view: HardStateView): object {
  return { record: view.record ?? null, slots: view.slots.map((slot) => slot ?? null), pastCache: view.pastCache };
}

export function showHardState(view: HardStateView): Shown {
  const { record, slots } = view;
  const sound = record !== undefined && slots.every((slot) => slot?.sequence === record.sequence);
  const list = plainTable(['COPY', 'SEQUENCE', 'TERM', 'VOTE', 'STATE'], slots.map((slot, i) => [
    i + 1, slot?.sequence ?? '-', slot?.term ?? '-', slot === undefined ? '-' : slot.vote.toString(16),
    slot === undefined ? 'damaged' : slot.sequence === record?.sequence ? 'ok' : 'another sequence',
  ]));
  if (record === undefined) return { text: `${list}\nunreadable: no two copies agree; the member refuses to start\n`, sound };
  const head = rows([
    ['cluster', record.clusterId.toString(16)], ['member', record.memberId.toString(16)], ['term', record.term],
    ['vote', record.vote === 0 ? 'none in this term' : record.vote.toString(16)], ['incarnation', record.incarnation],
    ['manifest', `generation ${record.manifestGeneration}, first record ${record.manifestDigest}`], ['sequence', record.sequence],
  ]);
  const verdict = sound ? 'sound: all four copies agree' : 'readable: the copies that are needed agree, others are damaged or old; the member mends them at its next start';
  return { text: `${head}\n${list}\n${verdict}\n`, sound };
}

function tableJsonOf(meta: TableMeta): object {
  const { birth, smallest, largest, scheme, ...rest } = meta;
  return { ...rest, birth: formatBirth(birth), smallest: toHex(smallest), largest: toHex(largest), scheme: formatScheme(scheme) };
}

export function manifestJson(view: ManifestView, missing: readonly number[]): object {
  const { manifest, generation, path, scheme, damaged, place } = view;
  return {
    path, generation, scheme, damaged, records: place.record, flushed: manifest.flushed, last: manifest.last,
    nextTableId: manifest.nextTableId,
    levels: manifest.levels.map((tables) => tables.map(tableJsonOf)), seals: manifest.seals, plans: manifest.plans, missingFiles: missing,
  };
}

export function showManifest(view: ManifestView, missing: readonly number[]): Shown {
  const { manifest } = view;
  const tables = manifest.levels.flatMap((level, number) => level.map((meta) => ({ meta, number })));
  const bytes = tables.reduce((sum, { meta }) => sum + meta.bytes, 0);
  const head = rows([
    ['manifest', `${view.path}, ${view.place.record} records, ${view.scheme}`],
    ['flushed', `${manifest.flushed.index} (term ${manifest.flushed.term}): everything up to here is in tables`],
    ['last edit', `${manifest.last.index} (term ${manifest.last.term}): the last edit it contains`],
    ['tables', `${tables.length}, ${formatBytes(bytes)}; next id ${manifest.nextTableId}`],
    ['seals', manifest.seals.length === 0 ? 'none' : manifest.seals.map((seal) => seal.index).join(', ')],
    ['plans', manifest.plans.length === 0 ? 'none' : manifest.plans.map((p) => `${p.index}: ${p.inputs.map((i) => i.id).join(' ')} to level ${p.outputLevel}`).join('; ')],
  ]);
  const list = plainTable(['LEVEL', 'TABLE', 'BYTES', 'ENTRIES', 'REVISIONS', 'BIRTH', 'DIGEST', 'FILE'], tables.map(({ meta, number }) => [
    number, meta.id, meta.bytes, meta.entries, `${meta.minRevision}-${meta.maxRevision}`, formatBirth(meta.birth), meta.fileDigest,
    missing.includes(meta.id) ? 'missing' : 'there',
  ]));
  const sound = !view.damaged && missing.length === 0;
  const faults = [view.damaged ? 'the manifest file needed a spare copy, parity, or ends in a torn record' : '', missing.length > 0 ? `${missing.length} table files are missing; a running member fetches them from its peers` : ''];
  return { text: `${head}\n${tables.length > 0 ? `${list}\n` : ''}${sound ? 'sound' : `damaged: ${faults.filter((f) => f !== '').join('; ')}`}\n`, sound };
}

export function logJson({ segments, resolution }: LogView): object {
  const { table, commit, snapshotThrough, lastSequence, cut, faults, replacedBad } = resolution;
  return {
    firstIndex: table.baseIndex + 1, lastIndex: table.lastIndex, commit, snapshotThrough, lastSequence,
    tornTail: cut ?? null, faults, replacedBad,
    segments: segments.map((s) => ({
      generation: s.generation, format: s.layout.format, bytes: s.layout.bytes, batches: s.batches.length,
      entries: s.batches.reduce((n, b) => n + b.records.length, 0),
      firstIndex: s.batches[0] === undefined ? null : s.batches[0].previousIndex + 1, oddities: s.oddities,
    })),
  };
}

export function showLog({ segments, resolution }: LogView, manifest: ManifestView['manifest'] | undefined): Shown {
  const { table, commit, cut, faults } = resolution;
  const head = rows([
    ['entries', table.lastIndex === table.baseIndex ? `none; the next is ${table.lastIndex + 1}` : `${table.baseIndex + 1} to ${table.lastIndex}`],
    ['commit', `${commit} is the highest that was recorded`],
    ['manifest', manifest === undefined ? 'not known' : `flushed to ${manifest.flushed.index}, last edit ${manifest.last.index}`],
    ['torn tail', cut === undefined ? 'none' : `${cut.entries} entries whose write never finished; the member cuts them at its next start`],
  ]);
  const list = plainTable(['SEGMENT', 'FORMAT', 'BYTES', 'BATCHES', 'ENTRIES', 'FIRST', 'LAST', 'NOTE'], segments.map((s) => {
    const [first, last] = [s.batches[0], s.batches.at(-1)];
    return [
      s.generation.toString(16), s.layout.format, s.layout.bytes, s.batches.length, s.batches.reduce((n, b) => n + b.records.length, 0),
      first === undefined ? '-' : first.previousIndex + 1, last === undefined ? '-' : last.previousIndex + last.records.length,
      s.oddities.join('; ') || (first === undefined ? 'prepared' : ''),
    ];
  }));
  const shown = faults.slice(0, 10).map((f) => `  entry ${f.index}${f.term === 0 ? '' : ` of term ${f.term}`} at ${f.offset} of segment ${f.generation.toString(16)}: ${f.why}\n`);
  const sound = faults.length === 0 && segments.every((s) => s.oddities.length === 0);
  const verdict = faults.length > 0
    ? `damaged: ${faults.length} entries that were once durable are bad; the member does not start without them\n${shown.join('')}`
    : sound ? 'sound\n' : 'readable: damage lies where no needed entry is\n';
  return { text: `${head}\n${list}\n${verdict}`, sound };
}
