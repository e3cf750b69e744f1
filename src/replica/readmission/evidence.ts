/**
 * What a data directory shows of the member that it belongs to, and of what is wrong with it.
 * Nothing is written.
 */

import { ByteWriter, fromUtf8, utf8 } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Disk } from '../../base/disk.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { replaceFile } from '../../base/replace-file.js';
import { viewHardState, type HardStateRecord, type HardStateView } from '../hard-state/hard-state.js';
import { generationOf } from '../log/segment-layout.js';
import { readJoined, type Joined } from '../state/joined.js';
import { readIntent, RecoverError, type RecoverIntent } from './intent.js';

/**
 * What the last start ended with, and as whom: that is not always to be seen from the other files,
 * because others had to tell it, or because the file is gone that says who the member is.
 */
const REFUSED_FILE = 'refused';
const MAX_REFUSED_BYTES = 4096;
const TOLD_BY_OTHERS = /^(EMPTIED|ROLLED_BACK)/;
/** Flags and hard state are of two members, and no file says why. */
const TOLD_BY_FLAGS = /^(JOINED_MISSING|WRONG_IDENTITY)/;

export interface Refused extends Claimed {
  /** Code and words. */
  readonly why: string;
}

/** Who a member is as its flags say it. */
export interface Claimed {
  readonly self: NodeId;
  /** 0: not known. */
  readonly clusterId: bigint;
  /** All that the flags name; undefined: not known. */
  readonly members?: readonly NodeId[];
}

export interface Evidence {
  /** Undefined: the file is not there. */
  readonly hardState: HardStateView | undefined;
  readonly joined: Joined | 'unreadable' | undefined;
  readonly intent: RecoverIntent | 'unreadable' | undefined;
  readonly refused: Refused | undefined;
  /** Files. */
  readonly segments: number;
  readonly manifests: number;
  readonly tables: number;
  /** Of the tables. */
  readonly tableBytes: number;
}

export async function findEvidence(disk: Disk): Promise<Evidence> {
  const tables = (await disk.list('tables')).filter((name) => name.endsWith('.sst'));
  return {
    hardState: await viewHardState(disk),
    joined: await readable(() => readJoined(disk), 'JOINED_UNREADABLE'),
    intent: await readable(() => readIntent(disk), 'INTENT_UNREADABLE'),
    refused: await readRefused(disk),
    segments: (await disk.list('log')).filter((name) => generationOf(name) !== undefined).length,
    manifests: (await disk.list('manifest')).length,
    tables: tables.length,
    tableBytes: tables.reduce((sum, name) => sum + (disk.sizeOf(`tables/${name}`) ?? 0), 0),
  };
}

async function readable<T>(read: () => Promise<T | undefined>, code: string): Promise<T | 'unreadable' | undefined> {
  try {
    return await read();
  } catch (error) {
    if (codeOf(error) !== code) throw error;
    return 'unreadable';
  }
}

/** It has never promised anything, or it was emptied. */
export function isNew(evidence: Evidence): boolean {
  const { hardState, manifests, segments } = evidence;
  return hardState === undefined ? manifests + segments === 0 : hardState.record?.term === 0 && evidence.tables === 0;
}

/**
 * Why this directory cannot be started with; undefined: nothing of that can be seen here.
 * `claimed`: as the flags say, undefined where they say nothing.
 */
export function whatIsWrong(evidence: Evidence, claimed?: Claimed): string | undefined {
  const { hardState, joined, intent, refused, segments, manifests } = evidence;
  if (refused !== undefined && TOLD_BY_OTHERS.test(refused.why)) return `its last start ended with ${refused.why}`;
  if (joined === 'unreadable') return 'JOINED_UNREADABLE: the file that says who it is cannot be read';
  if (lacksJoined(evidence, claimed)) return 'JOINED_MISSING: no file says who the member is whose hard state this is';
  if (intent === 'unreadable') return 'INTENT_UNREADABLE: it was to be re-admitted before, and the file that says so cannot be read';
  if (hardState === undefined) {
    return segments + manifests > 0 ? 'MISSING: its hard state is gone, so it is not known what it has promised' : undefined;
  }
  const { record, slots } = hardState;
  if (record === undefined) {
    const good = slots.filter((slot) => slot !== undefined).length;
    return `UNREADABLE: ${good} of ${slots.length} copies of its hard state are good, and do not agree on what it has promised`;
  }
  return record.term > 0 && segments === 0 ? 'LOG_MISSING: its log is gone, and with it the entries that it has acknowledged' : undefined;
}

/**
 * Its flags are not those of the member whose hard state this is, and no file says who that one is.
 * Where the flags speak of another cluster they may be wrong: then the last start must have met it,
 * and an operator have decided.
 */
export function lacksJoined({ hardState, joined, intent, refused }: Evidence, claimed?: Claimed): boolean {
  const stage = intent === undefined || intent === 'unreadable' ? undefined : intent.stage;
  const found = joined === undefined || joined === 'unreadable' ? undefined : joined.self;
  if (stage === 'asks') return false;
  if (stage === 'admitted') return found !== (intent as RecoverIntent).id;
  const whose = hardState?.record;
  if (whose === undefined || found === whose.memberId) return false;
  if (found !== undefined) return true;
  if (refused !== undefined && TOLD_BY_FLAGS.test(refused.why) && !isSame(refused, whose)) return true;
  if (claimed === undefined || isSame(claimed, whose) || claimed.members?.includes(whose.memberId) === true) return false;
  return claimed.clusterId === 0n || claimed.clusterId === whose.clusterId;
}

function isSame({ self, clusterId }: Claimed, whose: HardStateRecord): boolean {
  return self === whose.memberId && clusterId === whose.clusterId;
}

/** Whose directory this shows itself to be. */
export interface Shown {
  /** 0: it does not show that. */
  readonly clusterId: bigint;
  /** The newest last. */
  readonly ids: readonly NodeId[];
}

/** Throws RecoverError OTHER_CLUSTER if what is there is of more than one. */
export function shownBy({ hardState, joined, intent }: Evidence): Shown {
  const ids: NodeId[] = [];
  const clusters = new Set<bigint>();
  const show = (clusterId: bigint, ...of: readonly NodeId[]): void => {
    if (clusterId !== 0n) clusters.add(clusterId);
    for (const id of of) if (!ids.includes(id)) ids.push(id);
  };
  if (intent !== undefined && intent !== 'unreadable') {
    const { clusterId, shown, replaces, stage, id } = intent;
    // Who was known by name and place alone was told whose place it takes.
    show(clusterId, ...shown, ...(replaces === 0 ? [] : [replaces]), ...(stage === 'begun' ? [id] : []));
  }
  for (const slot of hardState?.slots ?? []) if (slot !== undefined) show(slot.clusterId, slot.memberId);
  if (joined !== undefined && joined !== 'unreadable') show(joined.description.clusterId, joined.self);
  if (clusters.size > 1) {
    const names = [...clusters].map((id) => id.toString(16)).join(' and ');
    throw new RecoverError('OTHER_CLUSTER', `the files in this data directory are of different clusters (${names}): put a copy back that was made at one time`);
  }
  return { clusterId: [...clusters][0] ?? 0n, ids };
}

/** Durable when it resolves. */
export function markRefused(disk: Disk, { self, clusterId }: Claimed, error: unknown): Promise<void> {
  const text = utf8(`${self.toString(16)} ${clusterId.toString(16)}\n${messageOf(error)}`).subarray(0, MAX_REFUSED_BYTES - SUM_CHARS);
  const bytes = new ByteWriter(text.length + SUM_CHARS).raw(text).raw(utf8(sumOf(text))).finish();
  return replaceFile(disk, REFUSED_FILE, bytes, { unlinkFirst: true });
}

/** Behind the text; an older program takes it for a part of it, and writes none. */
const SUM_CHARS = '\n#00000000'.length;

function sumOf(text: Uint8Array): string {
  return `\n#${crc32c(text).toString(16).padStart(8, '0')}`;
}

/** The others have nothing against it any more. */
export async function unmarkRefused(disk: Disk): Promise<void> {
  if (disk.sizeOf(REFUSED_FILE) === undefined) return;
  await disk.unlink(REFUSED_FILE);
  await disk.syncDir('.');
}

/** What is no such file counts as none: it helps, and decides nothing. */
async function readRefused(disk: Disk): Promise<Refused | undefined> {
  const size = disk.sizeOf(REFUSED_FILE);
  if (size === undefined) return undefined;
  const file = await disk.open(REFUSED_FILE, 'read');
  try {
    const bytes = new Uint8Array(Math.min(size, MAX_REFUSED_BYTES));
    await file.read(bytes, 0);
    const end = bytes.length - SUM_CHARS;
    const isSummed = end > 0 && fromUtf8(bytes.subarray(end, end + 2)) === '\n#';
    const text = isSummed ? bytes.subarray(0, end) : bytes;
    if (isSummed && fromUtf8(bytes.subarray(end)) !== sumOf(text)) return undefined;
    const [, self, clusterId, why = ''] = /^([0-9a-f]{1,14}) ([0-9a-f]{1,16})\n(.*)$/s.exec(fromUtf8(text)) ?? [];
    if (self === undefined || clusterId === undefined) return undefined;
    return { self: Number.parseInt(self, 16), clusterId: BigInt(`0x${clusterId}`), why };
  } finally {
    file.close();
  }
}
