/**
 * The intent to be re-admitted: the file `recovering`. R5 while it is there, this directory never
 * again takes part under an id that it had before: what it promised under those is not known.
 *
 *   asks       the cluster has not answered yet: under the old id it asks, and does nothing else
 *   admitted   the new id is in the cluster's log, and in the file `joined`; what is left of the
 *              old hard state and log is being set aside
 *   begun      the hard state of the new id is durable: from now on it is a member like any other
 *
 * The nonce is the new member's id. It is drawn before anybody is asked and never changes: so
 * whatever is lost or said twice, one intent can lead to one new id only.
 *
 * It is kept twice. A copy that is alone may be older than what was done since, by an older program
 * above all: R5 it never takes from a member the promises that it made under its new id.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import { CodecError, codeOf, KintsugiError, messageOf } from '../../base/errors.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { viewHardState } from '../hard-state/hard-state.js';
import { readTwice, removeTwice, writeTwice, type KeptTwice } from '../state/kept-twice.js';

export type RecoverErrorCode =
  /** Nothing is wrong with the data directory, as far as it can be told offline. */
  | 'HEALTHY'
  /** The directory belongs to another cluster or member than the flags say. */
  | 'OTHER_CLUSTER'
  /** Neither the directory nor the flags say who this member was. */
  | 'UNKNOWN_MEMBER'
  /** The operator has to say that the directory was emptied. */
  | 'NOT_CONFIRMED'
  /** Neither copy of the file `recovering` can be read. */
  | 'INTENT_UNREADABLE';

export class RecoverError extends KintsugiError<RecoverErrorCode> {
  override readonly name = 'RecoverError';
}

const STAGES = ['asks', 'admitted', 'begun'] as const;

export type IntentStage = (typeof STAGES)[number];

export interface RecoverIntent {
  readonly stage: IntentStage;
  /** 0: not known here; that of the members that the flags name. */
  readonly clusterId: bigint;
  /** Ids that this directory shows to have been its own, the newest last; empty: none. */
  readonly shown: readonly NodeId[];
  /**
   * Its files do not show who it was: it is known by its name and peer URL alone. The operator said
   * so.
   */
  readonly byName: boolean;
  /** The new member's id. */
  readonly id: NodeId;
  /** Why, for people. */
  readonly why: string;
  /** From `admitted` on: the voter whose place it takes; 0: none, it was a learner. */
  readonly replaces: NodeId;
  /** From `admitted` on: the commit index then. It gets its vote when it has applied that. */
  readonly past: LogIndex;
}

export const INTENT_FILE = 'recovering';
const FORMAT = 1;
const MAX_SHOWN = 1024;

export function encodeIntent({ stage, clusterId, shown, byName, id, why, replaces, past }: RecoverIntent): Uint8Array {
  const body = new ByteWriter(128).u8(FORMAT).u8(STAGES.indexOf(stage)).u64(clusterId).u8(Number(byName)).u53(id).u53(replaces).u53(past);
  body.varint(shown.length);
  for (const old of shown) body.u53(old);
  const bytes = body.text(why).finish();
  return new ByteWriter(bytes.length + 4).u32(crc32c(bytes)).raw(bytes).finish();
}

/** Throws CodecError. */
export function decodeIntent(bytes: Uint8Array): RecoverIntent {
  const input = new ByteReader(bytes, INTENT_FILE);
  if (input.u32() !== crc32c(bytes.subarray(4))) throw new CodecError('its checksum is wrong');
  const format = input.u8();
  if (format !== FORMAT) throw new CodecError(`its format ${format} is not known`);
  const stage = STAGES[input.u8()];
  if (stage === undefined) throw new CodecError('its stage is not known');
  const [clusterId, byName, id, replaces, past] = [input.u64(), input.u8() !== 0, input.u53(), input.u53(), input.u53()];
  const count = input.count(7);
  if (count > MAX_SHOWN) throw new CodecError(`it shows ${count} ids`);
  const shown = Array.from({ length: count }, () => input.u53());
  const why = input.text();
  input.end();
  return { stage, clusterId, shown, byName, id, why, replaces, past };
}

/** Durable when it resolves. */
export function writeIntent(disk: Disk, intent: RecoverIntent): Promise<void> {
  return writeTwice(disk, INTENT_FILE, encodeIntent(intent));
}

/** Undefined: there is none. Throws RecoverError INTENT_UNREADABLE. */
export async function readIntent(disk: Disk): Promise<RecoverIntent | undefined> {
  return (await read(disk))?.value;
}

/**
 * As {@link readIntent}; the copy that is bad or gone is made anew. Where the disk refuses that, it
 * is told, and the other one goes on serving.
 */
export async function readMendedIntent({ disk, events }: Pick<Env, 'disk' | 'events'>): Promise<RecoverIntent | undefined> {
  const kept = await read(disk);
  if (kept === undefined || kept.isWhole) return kept?.value;
  try {
    await writeIntent(disk, kept.value);
    events.emit({ type: 'warning', message: INTENT_MENDED, data: {} });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    events.emit({ type: 'warning', message: INTENT_DAMAGED, data: { why: messageOf(error) } });
  }
  return kept.value;
}

export const INTENT_MENDED = 'a copy of the file recovering was damaged: it is written anew';
const INTENT_DAMAGED = 'a copy of the file recovering is damaged';

async function read(disk: Disk): Promise<KeptTwice<RecoverIntent> | undefined> {
  try {
    const kept = await readTwice(disk, INTENT_FILE, decodeIntent);
    if (kept === undefined || !kept.ofCopy || kept.value.stage === 'begun') return kept;
    const hardState = await viewHardState(disk);
    return hardState?.record?.memberId === kept.value.id ? { ...kept, value: { ...kept.value, stage: 'begun' } } : kept;
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new RecoverError('INTENT_UNREADABLE',
      `R5 the file ${INTENT_FILE} in the data directory, which says that this member is to be re-admitted, cannot be read (${error.message}), nor its copy. ` +
        'Run kintsugi recover --data-dir DIR again: it begins anew');
  }
}

/** All is over. Durable when it resolves. */
export function removeIntent(disk: Disk): Promise<void> {
  return removeTwice(disk, INTENT_FILE);
}
