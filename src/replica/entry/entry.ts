/**
 * What a log entry's payload says. The log is the only source of change (S1), so everything that a
 * replica ever does to its keys or its tree is one of these records, in an envelope that its
 * proposer makes and every member checks:
 *
 *     kind u8, format u8, CRC-32C u32 over kind, format and body, body
 *
 * A copy that does not agree with its envelope is damaged and is never carried out. A sound one of
 * a kind or format that this program does not know is never passed over: to apply the rest without
 * it would be to leave a change out.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, KiB } from '../../base/bytes.js';
import { crc32c, crc32cInSlices } from '../../base/crc32c.js';
import { messageOf } from '../../base/errors.js';
import type { ClusterVersion } from '../../base/ids.js';
import type { RequestOp } from '../../api/requests.js';
import type { Entry } from '../../raft/types.js';
import { readTreeSettings, writeTreeSettings, type TreeSettings } from '../../storage/base/settings.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import { readTreeOp, writeTreeOp } from '../../storage/version/manifest-codec.js';
import { readAuthCommand, writeAuthCommand } from '../auth/auth-command.js';
import { NOBODY, readPrincipal, writePrincipal, type Principal } from '../auth/principal.js';
import { readAlarmChange, writeAlarmChange, type AlarmChange } from '../kv/alarms.js';
import { decodeKvCommand, decodeProposalId, encodeKvCommand, encodeProposalId } from '../kv/command-codec.js';
import type { ProposalId } from '../kv/applied-ids.js';
import { isLeaseCommand, type ClientCommand, type KvCommand, type LeaseCommand } from '../kv/command.js';
import { decodeLeaseCommand, encodeLeaseCommand } from '../kv/lease-codec.js';
import { EntryError } from './errors.js';
import { isMemberEntrySound } from './member-entry.js';

/**
 * Kind bytes. Reserved for what later versions bring: 4 `Fail{k}`, 5 the cross-replica digest, 6 a
 * change of settings, 10 a member's announcement.
 */
const BOOTSTRAP = 1;
const KV = 2;
const TREE = 3;
/** From version 3 of the cluster on. */
const LEASE = 7;
/** From version 3 of the cluster on. */
const AUTH = 8;
/** From version 2 of the cluster on. */
const ALARM = 9;
const CLUSTER_VERSION = 11;
/** From version 2 of the cluster on. */
const DOWNGRADE = 12;
/** From version 3 of the cluster on. */
const LEASE_TIME = 13;
/** Of every kind so far. A later one is written only under the cluster version that brings it. */
const FORMAT = 1;
const CRC_AT = 2;
const ENVELOPE_BYTES = 6;

/** A command on keys in somebody's name. */
export interface KvRecord {
  readonly id: ProposalId;
  readonly who: Principal;
  readonly command: KvCommand;
}

export type LogRecord =
  /** The first leader's: what the cluster's tree starts with. Later ones are no-ops. */
  | { readonly kind: 'bootstrap'; readonly settings: TreeSettings }
  | { readonly kind: 'kv'; readonly id: ProposalId; readonly command: KvCommand }
  /** A client grants or revokes a lease, in somebody's name. */
  | { readonly kind: 'lease'; readonly id: ProposalId; readonly who: Principal; readonly command: LeaseCommand }
  /**
   * The leader's alone: a lease has ended and is revoked, or how much time is left of some. It has
   * no id: it is never forwarded nor proposed again, and who comes next begins anew.
   */
  | { readonly kind: 'lease-time'; readonly command: LeaseCommand }
  | { readonly kind: 'tree'; readonly op: TreeOp }
  /**
   * A command in somebody's name: whether they may is decided at apply. One that has no name, while
   * auth is on, is refused there, too.
   */
  | { readonly kind: 'auth'; readonly id: ProposalId; readonly who: Principal; readonly command: ClientCommand }
  /** An alarm is raised, or taken back. */
  | { readonly kind: 'alarm'; readonly change: AlarmChange }
  /**
   * All members can read this version: it may be written from here on. Never lowers it; ends a
   * downgrade if it raises it.
   */
  | { readonly kind: 'cluster-version'; readonly version: ClusterVersion }
  /** An operator wants members of an older program: from here on only this version is written. */
  | { readonly kind: 'downgrade'; readonly target: ClusterVersion };

export function encodeBootstrap(settings: TreeSettings): Uint8Array {
  const out = begin(new ByteWriter(64), BOOTSTRAP);
  writeTreeSettings(out, settings);
  return readsBack(seal(out), 'bootstrap');
}

/** An entry that is larger is written into a buffer of its own, in slices, and copied once. */
const SCRATCH_BYTES = 512 * KiB;
/** What an operation has besides its bytes, and what an entry has besides its operations. */
const HEAD_BYTES = 64;
/** Bytes of a key or value that are copied in slices. */
const OWED_FROM = 64 * KiB;
/** Holds the largest entry so far that was made here. */
let scratch = new ByteWriter(4096);

/** What is in nobody's name needs no more than the first version of the cluster. */
export function encodeKv(id: ProposalId, command: ClientCommand, who: Principal = NOBODY): Uint8Array {
  assert(id.incarnation > 0 && id.sequence > 0, 'S2 a proposal has a name');
  const out = scratch.reset();
  writeCommandEntry(out, id, command, who);
  const data = seal(out);
  if (data.length > SCRATCH_BYTES) scratch = new ByteWriter(4096);
  return data;
}

/** The same, in slices: for what is of many bytes. The command stays as it is meanwhile. */
export function* encodeKvInSlices(id: ProposalId, command: ClientCommand, who: Principal = NOBODY): Generator<void, Uint8Array> {
  assert(id.incarnation > 0 && id.sequence > 0, 'S2 a proposal has a name');
  const out = new ByteWriter(sizeOfCommand(command)).owe(OWED_FROM);
  writeCommandEntry(out, id, command, who);
  yield* out.settle();
  const data = out.view();
  out.patchU32(CRC_AT, yield* crc32cInSlices(data, crc32c(data, 0, 0, CRC_AT), ENVELOPE_BYTES));
  return data;
}

function writeCommandEntry(out: ByteWriter, id: ProposalId, command: ClientCommand, who: Principal): void {
  if (who.kind === 'nobody' && command.kind !== 'auth' && !isLeaseCommand(command)) {
    encodeProposalId(begin(out, KV), id);
    encodeKvCommand(out, command);
    return;
  }
  if (command.kind !== 'auth' && isLeaseCommand(command)) {
    writePrincipal(begin(out, LEASE), who);
    encodeProposalId(out, id);
    encodeLeaseCommand(out, command);
    return;
  }
  writePrincipal(begin(out, AUTH), who);
  encodeProposalId(out, id);
  writeCommand(out, command);
}

/** Bytes of the entry that says `command`, or a little more. */
export function sizeOfCommand(command: ClientCommand): number {
  return HEAD_BYTES + (command.kind === 'compact' || command.kind === 'auth' || isLeaseCommand(command) ? 0 : sizeOfOp(command));
}

function sizeOfOp(op: RequestOp): number {
  switch (op.kind) {
    case 'put': return HEAD_BYTES + op.request.key.length + op.request.value.length;
    case 'delete-range':
    case 'range': return HEAD_BYTES + op.request.key.length + op.request.rangeEnd.length;
    case 'empty': return HEAD_BYTES;
    case 'txn': {
      let bytes = HEAD_BYTES;
      for (const { key, rangeEnd, target } of op.request.compare) {
        bytes += HEAD_BYTES + key.length + rangeEnd.length + (target.kind === 'value' ? target.value.length : 0);
      }
      for (const ops of [op.request.success, op.request.failure]) for (const nested of ops) bytes += sizeOfOp(nested);
      return bytes;
    }
  }
}

/** Whether an entry of so many bytes is made in slices. */
export function isLong(bytes: number): boolean {
  return bytes > SCRATCH_BYTES;
}

export function encodeLeaseTime(command: LeaseCommand): Uint8Array {
  assert(command.kind !== 'lease-grant', 'S1 only clients grant leases');
  const out = begin(new ByteWriter(64), LEASE_TIME);
  encodeLeaseCommand(out, command);
  return seal(out);
}

export function encodeTreeOp(op: TreeOp): Uint8Array {
  const out = begin(new ByteWriter(256), TREE);
  writeTreeOp(out, op);
  return readsBack(seal(out), 'tree');
}

export function encodeClusterVersion(version: ClusterVersion): Uint8Array {
  assert(version > 0, `S1 versions begin with 1, not ${version}`);
  return readsBack(seal(begin(new ByteWriter(16), CLUSTER_VERSION).varint(version)), 'cluster-version');
}

export function encodeDowngrade(target: ClusterVersion): Uint8Array {
  assert(target > 0, `S1 versions begin with 1, not ${target}`);
  return readsBack(seal(begin(new ByteWriter(16), DOWNGRADE).varint(target)), 'downgrade');
}

export function encodeAlarm(change: AlarmChange): Uint8Array {
  const out = begin(new ByteWriter(16), ALARM);
  writeAlarmChange(out, change);
  return readsBack(seal(out), 'alarm');
}

function begin(out: ByteWriter, kind: number): ByteWriter {
  return out.u8(kind).u8(FORMAT).u32(0);
}

function seal(out: ByteWriter): Uint8Array {
  out.patchU32(CRC_AT, checksum(out.view()));
  return out.finish();
}

function checksum(data: Uint8Array): number {
  return crc32c(data, crc32c(data, 0, 0, CRC_AT), ENVELOPE_BYTES);
}

/** S1 What goes into the log is what comes out of it on every replica. For what is rare. */
function readsBack(data: Uint8Array, kind: LogRecord['kind']): Uint8Array {
  assert(decodeLogRecord(data).kind === kind, `S1 an entry of kind ${kind} reads back as one`);
  return data;
}

/** The bytes are those that the proposer made, whatever they say. */
function isSound(data: Uint8Array): boolean {
  if (data.length < ENVELOPE_BYTES) return false;
  const said = (data[2] as number) | ((data[3] as number) << 8) | ((data[4] as number) << 16) | ((data[5] as number) << 24);
  return said >>> 0 === checksum(data);
}

/** A leader's own empty entry has no envelope; a change of the configuration has its own. */
export function isCopySound({ type, data }: Entry): boolean {
  return type === 'normal' ? data.length === 0 || isSound(data) : isMemberEntrySound(data);
}

/** Throws EntryError ENTRY_DAMAGED, and ENTRY_UNKNOWN for what a later program has written. */
export function decodeLogRecord(data: Uint8Array): LogRecord {
  if (!isSound(data)) throw new EntryError('ENTRY_DAMAGED', `a log entry of ${data.length} bytes is not what its proposer made`);
  const input = new ByteReader(data, 'log entry', ENVELOPE_BYTES);
  const kind = data[0] as number;
  const format = data[1] as number;
  if (format !== FORMAT) throw unknown(`a log entry of kind ${kind} has format ${format}`);
  try {
    const record = readRecord(kind, input);
    input.end();
    return record;
  } catch (error) {
    if (error instanceof EntryError) throw error;
    throw unknown(messageOf(error), error);
  }
}

function readRecord(kind: number, input: ByteReader): LogRecord {
  switch (kind) {
    case BOOTSTRAP:
      return { kind: 'bootstrap', settings: readTreeSettings(input) };
    case KV: {
      const id = decodeProposalId(input);
      return { kind: 'kv', id, command: decodeKvCommand(input) };
    }
    case LEASE: {
      const who = readPrincipal(input);
      return { kind: 'lease', id: decodeProposalId(input), who, command: decodeLeaseCommand(input) };
    }
    case LEASE_TIME:
      return { kind: 'lease-time', command: decodeLeaseCommand(input) };
    case TREE:
      return { kind: 'tree', op: readTreeOp(input) };
    case AUTH: {
      const who = readPrincipal(input);
      return { kind: 'auth', id: decodeProposalId(input), who, command: readCommand(input) };
    }
    case ALARM:
      return { kind: 'alarm', change: readAlarmChange(input) };
    case CLUSTER_VERSION:
      return { kind: 'cluster-version', version: input.varint() };
    case DOWNGRADE:
      return { kind: 'downgrade', target: input.varint() };
    default:
      throw unknown(`a log entry is of kind ${kind}`);
  }
}

/** What a command in somebody's name is: a number before it. */
const OF_KV = 1;
const OF_AUTH = 2;

function writeCommand(out: ByteWriter, command: ClientCommand): void {
  if (command.kind === 'auth') writeAuthCommand(out.u8(OF_AUTH), command.change);
  else encodeKvCommand(out.u8(OF_KV), command);
}

function readCommand(input: ByteReader): ClientCommand {
  const kind = input.u8();
  if (kind === OF_KV) return decodeKvCommand(input);
  if (kind === OF_AUTH) return { kind: 'auth', change: readAuthCommand(input) };
  throw unknown(`a command in somebody's name is of kind ${kind}`);
}

function unknown(what: string, cause?: unknown): EntryError {
  return new EntryError('ENTRY_UNKNOWN', `${what}: this member is older than the one that proposed it`, {}, cause);
}
