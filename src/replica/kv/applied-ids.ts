/**
 * Makes a proposal apply once: a client's request may reach the log twice (re-proposed to the next
 * leader), and the second time must change nothing. Per member it holds which of the last
 * APPLIED_WINDOW sequence numbers of the member's newest incarnation were applied. It is evicted by
 * log content alone, so that it is equal on every replica (S2); an id that may have been evicted is
 * refused, never run.
 *
 * A member that is removed from the cluster is retired, not forgotten: a second copy of what it
 * proposed may stand in the log behind its removal, as may what it had just proposed for the first
 * time. Its window is dropped only when RETIRED_WINDOWS more were removed: then all is evicted.
 */

import { assert } from '../../base/assert.js';
import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';

/** A proposal's name: `incarnation` is a durable counter that the member raises at each start. */
export interface ProposalId {
  readonly member: NodeId;
  readonly incarnation: number;
  readonly sequence: number;
}

/** Sequence numbers remembered per member. A member keeps fewer proposals than this in flight. */
export const APPLIED_WINDOW = 32_768;

/** Members whose windows are kept after they were removed. */
export const RETIRED_WINDOWS = 64;

/** Bound on members that a decoded state may have windows of. */
const MEMBERS_MAX = 65_536;
const FORMAT = 1;
/** With those that are retired. Only a cluster that has removed a member writes it. */
const FORMAT_RETIRED = 2;

/** Bit `sequence % APPLIED_WINDOW` tells of the sequences in [top - APPLIED_WINDOW, top). */
interface Window {
  /** Only grows. */
  incarnation: number;
  /** Only grows within an incarnation. */
  top: number;
  readonly bits: Uint32Array;
}

function isSet(window: Window, sequence: number): boolean {
  const at = sequence % APPLIED_WINDOW;
  return (((window.bits[at >>> 5] as number) >>> (at & 31)) & 1) === 1;
}

function set(window: Window, sequence: number): void {
  const at = sequence % APPLIED_WINDOW;
  window.bits[at >>> 5] = (window.bits[at >>> 5] as number) | (1 << (at & 31));
}

function clear(window: Window, sequence: number): void {
  const at = sequence % APPLIED_WINDOW;
  window.bits[at >>> 5] = (window.bits[at >>> 5] as number) & ~(1 << (at & 31));
}

/** Moves the window so that `sequence` is its newest; what comes into view was not applied. */
function advance(window: Window, sequence: number): void {
  if (sequence - window.top >= APPLIED_WINDOW) window.bits.fill(0);
  else for (let s = window.top; s <= sequence; s++) clear(window, s);
  window.top = sequence + 1;
}

export class AppliedIds {
  readonly #windows = new Map<NodeId, Window>();
  /** In the order of their removal: member ids are never used again. */
  readonly #retired: NodeId[] = [];

  /** duplicate: was applied before. evicted: too old to know; it must not run. */
  classify(id: ProposalId): 'new' | 'duplicate' | 'evicted' {
    const window = this.#windows.get(id.member);
    if (window === undefined) return this.#retired.includes(id.member) ? 'evicted' : 'new';
    if (id.incarnation > window.incarnation) return 'new';
    if (id.incarnation < window.incarnation) return 'evicted';
    if (id.sequence >= window.top) return 'new';
    if (id.sequence < window.top - APPLIED_WINDOW) return 'evicted';
    return isSet(window, id.sequence) ? 'duplicate' : 'new';
  }

  record(id: ProposalId): void {
    let window = this.#windows.get(id.member);
    if (window === undefined) {
      window = { incarnation: id.incarnation, top: 0, bits: new Uint32Array(APPLIED_WINDOW / 32) };
      this.#windows.set(id.member, window);
    }
    assert(id.incarnation >= window.incarnation, 'S2 an evicted proposal is not applied');
    if (id.incarnation > window.incarnation) {
      window.incarnation = id.incarnation;
      window.top = 0;
      window.bits.fill(0);
    }
    if (id.sequence >= window.top) advance(window, id.sequence);
    assert(id.sequence >= window.top - APPLIED_WINDOW, 'S2 an evicted proposal is not applied');
    assert(!isSet(window, id.sequence), 'S2 a proposal is applied once');
    set(window, id.sequence);
  }

  /** The newest incarnation of which a proposal was recorded; 0: none. */
  incarnationOf(member: NodeId): number {
    return this.#windows.get(member)?.incarnation ?? 0;
  }

  /** For the entry that removes a member from the cluster. */
  retire(member: NodeId): void {
    assert(!this.#retired.includes(member), `S2 member ${member} is removed once`);
    this.#retired.push(member);
    const dropped = this.#retired.at(-1 - RETIRED_WINDOWS);
    if (dropped !== undefined) this.#windows.delete(dropped);
  }

  /**
   * Runs of applied and not applied from the newest down: canonical, and a few bytes when nothing
   * was lost.
   */
  encode(out: ByteWriter): void {
    if (this.#retired.length === 0) out.u8(FORMAT);
    else {
      out.u8(FORMAT_RETIRED).varint(this.#retired.length);
      for (const member of this.#retired) out.varint(member);
    }
    out.varint(this.#windows.size);
    for (const member of [...this.#windows.keys()].sort((a, b) => a - b)) {
      const window = this.#windows.get(member) as Window;
      out.varint(member).varint(window.incarnation).varint(window.top);
      const bottom = Math.max(0, window.top - APPLIED_WINDOW);
      let run = 0;
      let applied = true;
      for (let sequence = window.top - 1; sequence >= bottom; sequence--) {
        if (isSet(window, sequence) !== applied) {
          out.varint(run);
          run = 0;
          applied = !applied;
        }
        run += 1;
      }
      out.varint(run);
    }
  }

  static decode(input: ByteReader): AppliedIds {
    const format = input.u8();
    if (format !== FORMAT && format !== FORMAT_RETIRED) throw new CodecError(`applied ids: format ${format} is not supported`);
    const ids = new AppliedIds();
    if (format === FORMAT_RETIRED) for (let left = input.count(1); left > 0; left--) ids.#retired.push(input.varint());
    const members = input.count(4);
    if (members > MEMBERS_MAX) throw new CodecError(`applied ids: ${members} members`);
    let last = -1;
    for (let i = 0; i < members; i++) {
      const member = input.varint();
      if (member <= last) throw new CodecError('applied ids: members are not in order');
      last = member;
      ids.#windows.set(member, AppliedIds.#decodeWindow(input));
    }
    return ids;
  }

  static #decodeWindow(input: ByteReader): Window {
    const window: Window = {
      incarnation: input.varint(),
      top: input.varint(),
      bits: new Uint32Array(APPLIED_WINDOW / 32),
    };
    if (window.top === 0) throw new CodecError('applied ids: an empty window');
    const bottom = Math.max(0, window.top - APPLIED_WINDOW);
    let applied = true;
    for (let sequence = window.top - 1; sequence >= bottom; ) {
      const run = input.varint();
      if (run === 0 || run > sequence - bottom + 1) throw new CodecError(`applied ids: a run of ${run}`);
      if (applied) for (let i = 0; i < run; i++) set(window, sequence - i);
      sequence -= run;
      applied = !applied;
    }
    return window;
  }
}
