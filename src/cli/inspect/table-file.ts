/**
 * One table file, looked at without its manifest. Its footers are found by their own headers, then
 * everything is judged by its referrer as a node would do it: the parts by the footer, the data by
 * the index. What only the manifest could vouch for is the footer itself: a whole file that is
 * stale or misplaced looks sound here.
 */

import type { Disk } from '../../base/disk.js';
import { CodecError } from '../../base/errors.js';
import { decodeBlock } from '../../storage/block/block-codec.js';
import { formatDigest, type BlockHandle, type BlockSpec } from '../../storage/block/handle.js';
import { locateBlock } from '../../storage/block/header.js';
import { blockLayout } from '../../storage/block/layout.js';
import type { RegionKind } from '../../storage/table/block-faults.js';
import { FileDigest } from '../../storage/table/file-digest.js';
import { decodeFooter, FOOTER_BYTES, footerRegionBytes, type Footer } from '../../storage/table/footer.js';
import { IndexBlock } from '../../storage/table/index-block.js';
import { decodeProperties, type TableProperties } from '../../storage/table/properties.js';
import { regenerate } from '../../storage/table/table-image.js';
import { tableRegions, type SpecifiedRegion } from '../../storage/table/table-layout.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { digest128 } from '../../base/digest.js';
import { EMPTY, equalBytes } from '../../base/bytes.js';
import { formatScheme, type EccScheme } from '../../ecc/scheme.js';
import { SCHEMES_TO_TRY } from './schemes.js';

export type RegionState = 'ok' | 'parity' | 'corrected' | 'unreadable' | 'missing';

export interface RegionView {
  readonly kind: RegionKind;
  readonly offset: number;
  readonly length: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
  /** Everything after the payload: padding, parity shards, mirror of the header. */
  readonly parityBytes: number;
  readonly digest: string;
  /** parity: the payload is sound, bytes beside it are not. corrected: parity restored it. */
  readonly state: RegionState;
  readonly why: string;
}

export interface TableFileView {
  readonly bytes: number;
  /** What the footer says the file has. */
  readonly statedBytes: number;
  readonly scheme: string;
  readonly footer: Footer;
  /** As the manifest must name them. */
  readonly rootDigest: string;
  readonly fileDigest: string;
  readonly regions: readonly RegionView[];
  /** Undefined if it is unreadable. */
  readonly properties: TableProperties | undefined;
  readonly pastCache: boolean;
}

/** Of one file; a table is far smaller. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024;

interface FoundFooter {
  readonly payload: Uint8Array;
  readonly footer: Footer;
  readonly scheme: EccScheme;
}

/**
 * A footer that decodes: where its header says, or with both headers gone where a scheme would put
 * it.
 */
function findFooter(file: Uint8Array): FoundFooter | undefined {
  const tries: { readonly at: number; readonly spec: BlockSpec }[] = [];
  const head = locateBlock(file.subarray(0, 64 * 1024), 0);
  if (head?.type === 'footer') tries.push({ at: 0, spec: head });
  for (const scheme of SCHEMES_TO_TRY) {
    const at = file.length - footerRegionBytes(scheme);
    const tail = at < 0 ? undefined : locateBlock(file.subarray(at), 0);
    if (tail?.type === 'footer' && tail.payloadBytes === FOOTER_BYTES) tries.push({ at, spec: tail });
  }
  for (const { at, spec } of tries) {
    const decoded = decodeBlock(file.subarray(at), spec);
    if (decoded.kind === 'unreadable') continue;
    try {
      return { payload: decoded.payload, footer: decodeFooter(decoded.payload), scheme: spec.scheme };
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
    }
  }
  return undefined;
}

/** What the layout needs of a meta; the rest is not known here. */
function metaOf(found: FoundFooter): TableMeta {
  const { footer, scheme, payload } = found;
  const unknown = { smallest: EMPTY, largest: EMPTY, entries: 0, tombstones: 0, minRevision: 0, maxRevision: 0, liveDelta: 0 };
  return { id: 0, birth: footer.birth, bytes: footer.fileBytes, rootDigest: digest128(payload), fileDigest: '', scheme, ...unknown };
}

function stateOf(file: Uint8Array, region: SpecifiedRegion): { readonly state: RegionState; readonly why: string } {
  const stored = file.subarray(region.offset, region.offset + region.length);
  if (stored.length < region.length) return { state: 'missing', why: `the file has ${stored.length} of ${region.length} bytes` };
  const decoded = decodeBlock(stored, region.spec);
  if (decoded.kind === 'unreadable') return { state: 'unreadable', why: decoded.why };
  if (decoded.kind === 'corrected') return { state: 'corrected', why: decoded.how };
  if (equalBytes(stored, regenerate(decoded.payload, region))) return { state: 'ok', why: '' };
  return { state: 'parity', why: 'bytes beside the payload differ' };
}

function viewOf(file: Uint8Array, region: SpecifiedRegion): RegionView {
  const { kind, offset, length, spec } = region;
  const { headerBytes } = blockLayout(spec.payloadBytes, spec.scheme);
  const parityBytes = length - headerBytes - spec.payloadBytes;
  const { payloadBytes } = spec;
  return { kind, offset, length, headerBytes, payloadBytes, parityBytes, digest: formatDigest(spec.digest), ...stateOf(file, region) };
}

function payloadOf(file: Uint8Array, handle: BlockHandle): Uint8Array | undefined {
  const decoded = decodeBlock(file.subarray(handle.offset, handle.offset + handle.length), handle);
  return decoded.kind === 'unreadable' ? undefined : decoded.payload;
}

/** Throws CodecError if it is not a table, or its footers or index are beyond parity. */
export async function inspectTableFile(disk: Disk, path: string): Promise<TableFileView> {
  const size = disk.sizeOf(path);
  if (size === undefined || size > MAX_FILE_BYTES) throw new CodecError(`${path} is not a file that a table could be`);
  const { bytes: file, pastCache } = await disk.readDirect(path, 0, size);
  const found = findFooter(file);
  if (found === undefined) throw new CodecError(`${path}: no readable footer at either end; this is no table, or it is beyond its own parity`);
  const { footer, scheme, payload } = found;
  const index = payloadOf(file, footer.index);
  if (index === undefined) throw new CodecError(`${path}: the index block at ${footer.index.offset} is beyond its own parity`);
  const regions = tableRegions(metaOf(found), footer, new IndexBlock(index, footer.format.codec, footer.format.scheme));
  const properties = payloadOf(file, footer.properties);
  const digest = new FileDigest();
  digest.update(file);
  return {
    bytes: size,
    statedBytes: footer.fileBytes,
    scheme: formatScheme(scheme),
    footer,
    rootDigest: digest128(payload),
    fileDigest: digest.digest(),
    regions: regions.map((region) => viewOf(file, region)),
    properties: properties && decodeProperties(properties),
    pastCache,
  };
}
