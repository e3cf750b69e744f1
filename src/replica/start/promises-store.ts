/**
 * Keeps what the others have promised to this member over its own restarts: two copies of it in the
 * small file `promises`, of which the older one is overwritten, once a second if something new was
 * heard, and at an orderly stop. Nothing waits for that: no message, and no group commit.
 *
 * R5 what is read is what was heard at some time, or nothing: so it may be old, and asks a member
 * that restarts for no more than it promised (`promises-heard.ts`). After a crash about a second of
 * it is missing. Damage, a lost write, or no file at all only mean that less is remembered: a start
 * is never refused for it. C1 on a full disk, or one that refuses, the member goes without, and
 * tries again later. What another member has remembered, or this one under a former id or in
 * another cluster, is none of its own.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { Coalesced } from '../../base/coalesced.js';
import { crc32c } from '../../base/crc32c.js';
import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { replaceFile } from '../../base/replace-file.js';
import type { KvMachine } from '../kv/kv-machine.js';
import type { Membership } from '../state/membership.js';
import { PromisesHeard, type Heard } from './promises-heard.js';

export const PROMISES_PATH = 'promises';
export const PROMISES_NOT_KEPT = 'what the others have promised could not be written down: this member remembers it until it ends';

/** Not side by side: one burst does not meet both. */
const SLOT_PAGES = [0, 5] as const;
const PAGE_BYTES = 4096;
const FILE_BYTES = 6 * PAGE_BYTES;
const MAGIC = 0x4d50_524b; // 'KRPM'
const FORMAT = 1;
const HEAD_BYTES = 4 + 4 + 4 + 8 + 8 + 8 + 4;
const MEMBER_BYTES = 5 * 8 + 1;
/** Of more than a cluster has voters; the others are remembered in memory alone. */
const MAX_MEMBERS = Math.floor((PAGE_BYTES - HEAD_BYTES) / MEMBER_BYTES);
const RETRY_FIRST_MS = 2_000;
const RETRY_MAX_MS = 60_000;

/** Whose memory it is. */
export interface Rememberer {
  readonly self: NodeId;
  readonly clusterId: bigint;
}

interface Copy {
  /** Raised with every write. */
  readonly number: number;
  readonly members: ReadonlyMap<NodeId, Heard>;
}

export class PromisesStore {
  readonly heard = new PromisesHeard();
  readonly #env: Env;
  readonly #who: Rememberer;
  readonly #saving = new Coalesced(() => this.#save());
  #number = 0;
  /** The change up to which the file is durable. */
  #saved = 0;
  /** The file is known to take what is written into it. */
  #isSound = false;
  /** What the disk refused is tried again from then on. */
  #againAt = 0;
  #retryMs = RETRY_FIRST_MS;

  private constructor(env: Env, who: Rememberer) {
    this.#env = env;
    this.#who = who;
  }

  /** Changes nothing on the disk, and never rejects because of what is there. */
  static async open(env: Env, { self, clusterId }: Rememberer): Promise<PromisesStore> {
    const store = new PromisesStore(env, { self, clusterId });
    const { copies, isWhole } = await readCopies(env.disk, store.#who);
    const [newest] = copies.toSorted((a, b) => b.number - a.number);
    store.#number = newest?.number ?? 0;
    for (const [member, heard] of newest?.members ?? []) store.heard.recall(member, heard);
    store.#isSound = isWhole;
    return store;
  }

  /** Once a second. */
  tick(membership: Pick<Membership, 'peers' | 'removed'>, lives: Pick<KvMachine, 'incarnationOf'>): void {
    const { heard } = this;
    for (const member of membership.removed) heard.forget(member);
    for (const member of membership.peers) heard.noteLife(member, lives.incarnationOf(member));
    if (heard.changes > this.#saved && this.#env.clock.now() >= this.#againAt) this.#saving.kick();
  }

  /** Resolves when all is written down, or the disk refused it. */
  async stop(): Promise<void> {
    await this.#saving.idle();
    if (this.heard.changes > this.#saved) this.#saving.kick();
    await this.#saving.idle();
  }

  async #save(): Promise<void> {
    const { disk, clock, events } = this.#env;
    const { changes } = this.heard;
    const copy = { number: this.#number + 1, members: this.heard.all() };
    try {
      await this.#write(disk, copy);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      this.#isSound = false;
      if (this.#againAt === 0) events.emit({ type: 'warning', message: PROMISES_NOT_KEPT, data: { why: messageOf(error) } });
      this.#againAt = clock.now() + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
      return;
    }
    assert(changes >= this.#saved, `R5 what was kept is not older than what was before: ${changes} after ${this.#saved}`);
    this.#number = copy.number;
    this.#saved = changes;
    this.#isSound = true;
    this.#againAt = 0;
    this.#retryMs = RETRY_FIRST_MS;
  }

  /** Into the place of the older copy. A file whose sync failed takes nothing more: a new one. */
  async #write(disk: Disk, copy: Copy): Promise<void> {
    const slot = copy.number % SLOT_PAGES.length;
    const page = encodeCopy(this.#who, copy, slot);
    const offset = offsetOf(slot);
    if (!this.#isSound || disk.sizeOf(PROMISES_PATH) !== FILE_BYTES) {
      const bytes = new Uint8Array(FILE_BYTES);
      bytes.set(page, offset);
      return replaceFile(disk, PROMISES_PATH, bytes, { unlinkFirst: true });
    }
    const file = await disk.open(PROMISES_PATH, 'write');
    try {
      await file.write(page, offset);
      await file.sync();
    } finally {
      file.close();
    }
  }
}

function offsetOf(slot: number): number {
  return (SLOT_PAGES[slot] as number) * PAGE_BYTES;
}

function encodeCopy({ self, clusterId }: Rememberer, { number, members }: Copy, slot: number): Uint8Array {
  const kept = [...members].slice(0, MAX_MEMBERS);
  const out = new ByteWriter(PAGE_BYTES).u32(MAGIC).u32(0).u32(FORMAT).u53(number).u64(clusterId).u53(self).u32(kept.length);
  for (const [member, { term, acknowledged, votedForMe, applied, incarnation }] of kept) {
    out.u53(member).u53(term).u53(acknowledged).u53(applied).u53(incarnation).u8(Number(votedForMe));
  }
  out.zeros(PAGE_BYTES - out.length).patchU32(4, crc32c(out.view(), slot, 8));
  return out.finish();
}

/** Undefined: damaged, of a later format, or somebody else's. */
function decodeCopy(bytes: Uint8Array, { self, clusterId }: Rememberer, slot: number): Copy | undefined {
  if (bytes.length < PAGE_BYTES) return undefined;
  const input = new ByteReader(bytes, PROMISES_PATH);
  if (input.u32() !== MAGIC || input.u32() !== crc32c(bytes, slot, 8) || input.u32() !== FORMAT) return undefined;
  const number = input.u53();
  if (input.u64() !== clusterId || input.u53() !== self) return undefined;
  const members = new Map<NodeId, Heard>();
  for (let left = input.u32(); left > 0; left--) {
    const member = input.u53();
    const [term, acknowledged, applied, incarnation] = [input.u53(), input.u53(), input.u53(), input.u53()];
    members.set(member, { term, acknowledged, applied, incarnation, votedForMe: input.u8() !== 0 });
  }
  return { number, members };
}

/** Past the caches; `isWhole`: a file of the right size is there. */
async function readCopies(disk: Disk, who: Rememberer): Promise<{ readonly copies: readonly Copy[]; readonly isWhole: boolean }> {
  const copies: Copy[] = [];
  if (disk.sizeOf(PROMISES_PATH) === undefined) return { copies, isWhole: false };
  for (const slot of SLOT_PAGES.keys()) {
    try {
      const copy = decodeCopy((await disk.readDirect(PROMISES_PATH, offsetOf(slot), PAGE_BYTES)).bytes, who, slot);
      if (copy !== undefined) copies.push(copy);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
    }
  }
  return { copies, isWhole: disk.sizeOf(PROMISES_PATH) === FILE_BYTES };
}
