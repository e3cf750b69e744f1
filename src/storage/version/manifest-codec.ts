/**
 * Bytes of tree ops and of versions (logical manifests), in log entries, manifest files and
 * snapshots. Equal manifests give equal bytes, so that replicas can compare them (S2). Every
 * decoder throws CodecError on damage.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { DIGEST_BYTES, readDigest, writeDigest } from '../../base/digest.js';
import { atOnce, SLICE_BYTES } from '../../base/drive.js';
import { CodecError } from '../../base/errors.js';
import { formatScheme, parseScheme } from '../../ecc/scheme.js';
import { isInternalKey } from '../base/key.js';
import { LEVELS, readTableFormat, writeTableFormat } from '../base/settings.js';
import type { PendingPlan, PendingSeal } from './pending.js';
import { Version } from './version.js';
import { shapeProblem } from './version-shape.js';
import { readBirth, writeBirth } from '../table/birth-codec.js';
import type { ProducedTable, TableMeta, TableRef } from '../table/table-meta.js';
import type { TreeOp } from './tree-op.js';

const OP_KINDS = ['seal', 'plan', 'edit', 'heal-edit', 'abandon'] as const satisfies readonly TreeOp['kind'][];
const PURPOSES = ['compact', 'rewrite'] as const;
const MANIFEST_FORMAT = 1;

function writeRefs(out: ByteWriter, refs: readonly TableRef[]): void {
  out.varint(refs.length);
  for (const ref of refs) writeRef(out, ref);
}

function writeRef(out: ByteWriter, ref: TableRef): void {
  out.varint(ref.id);
  writeDigest(out, ref.digest);
}

function readRef(input: ByteReader): TableRef {
  return { id: input.varint(), digest: readDigest(input) };
}

function readRefs(input: ByteReader): TableRef[] {
  return readList(input, 1 + DIGEST_BYTES, readRef);
}

function readList<T>(input: ByteReader, bytesEach: number, read: (input: ByteReader) => T): T[] {
  const n = input.count(bytesEach);
  const out: T[] = [];
  for (let i = 0; i < n; i++) out.push(read(input));
  return out;
}

function numberOf<T>(names: readonly T[], name: T): number {
  const number = names.indexOf(name);
  assert(number >= 0, 'what is written has a number');
  return number;
}

function readPurpose(input: ByteReader): PendingPlan['purpose'] {
  const purpose = PURPOSES[input.u8()];
  if (purpose === undefined) throw new CodecError('plan with an unknown purpose');
  return purpose;
}

function readBoundKey(input: ByteReader): Uint8Array {
  const key = input.bytes();
  if (!isInternalKey(key)) throw new CodecError('table bound is not an internal key');
  return key.slice();
}

function writeSigned(out: ByteWriter, n: number): void {
  out.u8(n < 0 ? 1 : 0).varint(Math.abs(n));
}

function readSigned(input: ByteReader): number {
  const sign = input.u8();
  if (sign > 1) throw new CodecError('sign is neither 0 nor 1');
  const n = input.varint();
  return sign === 1 && n !== 0 ? -n : n;
}

export function writeProducedTable(out: ByteWriter, table: ProducedTable): void {
  writeBirth(out, table.birth);
  out.varint(table.bytes);
  writeDigest(out, table.rootDigest);
  writeDigest(out, table.fileDigest);
  out.bytes(table.smallest).bytes(table.largest);
  out.varint(table.entries).varint(table.tombstones).varint(table.minRevision).varint(table.maxRevision);
  writeSigned(out, table.liveDelta);
  out.text(formatScheme(table.scheme));
}

export function readProducedTable(input: ByteReader): ProducedTable {
  return {
    birth: readBirth(input),
    bytes: input.varint(),
    rootDigest: readDigest(input),
    fileDigest: readDigest(input),
    smallest: readBoundKey(input),
    largest: readBoundKey(input),
    entries: input.varint(),
    tombstones: input.varint(),
    minRevision: input.varint(),
    maxRevision: input.varint(),
    liveDelta: readSigned(input),
    scheme: parseScheme(input.text()),
  };
}

/** A table's record never changes, and is part of every manifest while the table lives. */
const encodedTables = new WeakMap<TableMeta, Uint8Array>();
const tableScratch = new ByteWriter(512);

function tableBytes(table: TableMeta): Uint8Array {
  let bytes = encodedTables.get(table);
  if (bytes === undefined) {
    tableScratch.reset().varint(table.id);
    writeProducedTable(tableScratch, table);
    bytes = tableScratch.finish();
    encodedTables.set(table, bytes);
  }
  return bytes;
}

function readTableMeta(input: ByteReader): TableMeta {
  const id = input.varint();
  return { ...readProducedTable(input), id };
}

export function writeTreeOp(out: ByteWriter, op: TreeOp): void {
  out.u8(numberOf(OP_KINDS, op.kind));
  switch (op.kind) {
    case 'seal':
      out.varint(op.proposer);
      writeTableFormat(out, op.format);
      return;
    case 'plan':
      out.varint(op.proposer).u8(numberOf(PURPOSES, op.purpose));
      writeRefs(out, op.inputs);
      out.varint(op.outputLevel).varint(op.gcRevision);
      writeTableFormat(out, op.format);
      return;
    case 'edit':
      out.varint(op.plan);
      writeRefs(out, op.removed);
      out.varint(op.added.length);
      for (const table of op.added) writeProducedTable(out, table);
      return;
    case 'heal-edit':
      writeRef(out, op.removed);
      return;
    case 'abandon':
      out.varint(op.plan);
      return;
  }
}

/** A table takes at least this many bytes: what a count is checked against. */
const MIN_TABLE_BYTES = 2 * DIGEST_BYTES + 2 * 15;

export function readTreeOp(input: ByteReader): TreeOp {
  const kind = OP_KINDS[input.u8()];
  switch (kind) {
    case 'seal':
      return { kind, proposer: input.varint(), format: readTableFormat(input) };
    case 'plan':
      return {
        kind,
        proposer: input.varint(),
        purpose: readPurpose(input),
        inputs: readRefs(input),
        outputLevel: input.varint(),
        gcRevision: input.varint(),
        format: readTableFormat(input),
      };
    case 'edit':
      return { kind, plan: input.varint(), removed: readRefs(input), added: readList(input, MIN_TABLE_BYTES, readProducedTable) };
    case 'heal-edit':
      return { kind, removed: readRef(input) };
    case 'abandon':
      return { kind, plan: input.varint() };
    default:
      throw new CodecError('tree op of an unknown kind');
  }
}

export function encodeTreeOp(op: TreeOp): Uint8Array {
  const out = new ByteWriter();
  writeTreeOp(out, op);
  return out.finish();
}

export function decodeTreeOp(bytes: Uint8Array): TreeOp {
  const input = new ByteReader(bytes, 'tree op');
  const op = readTreeOp(input);
  input.end();
  return op;
}

function writeSeal(out: ByteWriter, seal: PendingSeal): void {
  out.varint(seal.index).varint(seal.term).varint(seal.proposer);
  writeTableFormat(out, seal.format);
}

function readSeal(input: ByteReader): PendingSeal {
  return { index: input.varint(), term: input.varint(), proposer: input.varint(), format: readTableFormat(input) };
}

function writePlan(out: ByteWriter, plan: PendingPlan): void {
  out.varint(plan.index).varint(plan.term).varint(plan.proposer).u8(numberOf(PURPOSES, plan.purpose));
  writeRefs(out, plan.inputs);
  out.varint(plan.outputLevel).varint(plan.gcRevision).u8(plan.bottommost ? 1 : 0);
  writeTableFormat(out, plan.format);
}

function readPlan(input: ByteReader): PendingPlan {
  return {
    index: input.varint(),
    term: input.varint(),
    proposer: input.varint(),
    purpose: readPurpose(input),
    inputs: readRefs(input),
    outputLevel: input.varint(),
    gcRevision: input.varint(),
    bottommost: input.u8() === 1,
    format: readTableFormat(input),
  };
}

/**
 * The bytes of a version, piece by piece: a piece is a table, or all that comes before or after
 * them. Each is valid until the next one is asked for.
 */
export function* manifestPieces(manifest: Version): Generator<Uint8Array, void> {
  assert(manifest.levels.length === LEVELS, 'S2 a manifest has all levels');
  const out = new ByteWriter(512);
  out.u8(MANIFEST_FORMAT).varint(manifest.nextTableId);
  out.varint(manifest.flushed.index).varint(manifest.flushed.term).varint(manifest.last.index).varint(manifest.last.term);
  out.varint(manifest.levels.length);
  for (const tables of manifest.levels) {
    yield out.varint(tables.length).view();
    out.reset();
    for (const table of tables) {
      assert(table.id < manifest.nextTableId, 'S2 the id of a live table was given out');
      yield tableBytes(table);
    }
  }
  out.varint(manifest.seals.length);
  for (const seal of manifest.seals) writeSeal(out, seal);
  out.varint(manifest.plans.length);
  for (const plan of manifest.plans) writePlan(out, plan);
  yield out.view();
}

/** Bytes of a version, in slices. */
export function* measureManifest(manifest: Version): Generator<void, number> {
  let bytes = 0;
  let next = SLICE_BYTES;
  for (const piece of manifestPieces(manifest)) {
    bytes += piece.length;
    if (bytes < next) continue;
    next = bytes + SLICE_BYTES;
    yield;
  }
  return bytes;
}

/** For manifest files and snapshots; equal manifests give equal bytes. */
export function encodeManifest(manifest: Version): Uint8Array {
  return atOnce(encodeManifestInSlices(manifest));
}

export function* encodeManifestInSlices(manifest: Version): Generator<void, Uint8Array> {
  const out = new Uint8Array(yield* measureManifest(manifest));
  let at = 0;
  let next = SLICE_BYTES;
  for (const piece of manifestPieces(manifest)) {
    out.set(piece, at);
    at += piece.length;
    if (at < next) continue;
    next = at + SLICE_BYTES;
    yield;
  }
  assert(at === out.length, `S2 a version is encoded as it was measured: ${at} of ${out.length} bytes`);
  return out;
}

/** Throws CodecError for damage, and for what no log can lead to. */
export function* decodeManifestInSlices(bytes: Uint8Array): Generator<void, Version> {
  const input = new ByteReader(bytes, 'manifest');
  const format = input.u8();
  if (format !== MANIFEST_FORMAT) throw new CodecError(`manifest format ${format} is not supported (this is ${MANIFEST_FORMAT})`);
  const nextTableId = input.varint();
  const flushed = { index: input.varint(), term: input.varint() };
  const last = { index: input.varint(), term: input.varint() };
  if (input.varint() !== LEVELS) throw new CodecError(`a manifest has ${LEVELS} levels`);
  const levels: TableMeta[][] = [];
  let next = SLICE_BYTES;
  for (let level = 0; level < LEVELS; level++) {
    const tables: TableMeta[] = [];
    for (let left = input.count(MIN_TABLE_BYTES); left > 0; left--) {
      tables.push(readTableMeta(input));
      if (input.offset < next) continue;
      next = input.offset + SLICE_BYTES;
      yield;
    }
    levels.push(tables);
  }
  const seals = readList(input, 10, readSeal);
  const plans = readList(input, 10, readPlan);
  input.end();
  const fields = { nextTableId, levels, seals, plans, flushed, last };
  const problem = yield* shapeProblem(fields);
  if (problem !== undefined) throw new CodecError(`a manifest that no log leads to: ${problem}`);
  return Version.of(fields);
}
