/**
 * The experiment of "Protocol-Aware Recovery for Consensus-Based Storage" (FAST'18) on four entries
 * of three members: each of the twelve copies is good or bad. Where every entry has a good copy
 * somewhere, all of it is there again and writes go on; where an entry is bad everywhere it may
 * have been acknowledged, so everybody waits, until a copy of it is good again.
 */

import { must } from '../../base/assert.js';
import { utf8 } from '../../base/bytes.js';
import type { Stream } from '../world/random.js';
import type { Pump } from '../world/world.js';
import { Author, pastSettings } from './author.js';
import type { CaseResult } from './case-result.js';
import type { EntryCopy, Past } from './past.js';
import { SECOND_US, Trial } from './trial.js';
import { recovers, waits } from './verdict.js';

export const PLACEMENTS = 4096;
const ENTRIES = 4;
const MEMBERS = 3;
const UP_US = 60 * SECOND_US;
/** By then a cluster that need not wait is up, and every member has heard all others twice. */
const WAIT_US = 15 * SECOND_US;

/** Some entry is bad everywhere. */
export function mustWait(placement: number): boolean {
  return lostEntries(placement).length > 0;
}

export class CtrlPlacements {
  readonly #past: Past;
  /** By member, of the four entries. */
  readonly #copies: readonly (readonly EntryCopy[])[];

  private constructor(past: Past) {
    this.#past = past;
    this.#copies = past.members.map(({ entries, files }) =>
      Array.from({ length: ENTRIES }, (_, i) => must(entries.find((copy) => puts(copy, files, utf8(keyOf(i)))), `entry ${i} is in the log`)));
  }

  static async prepare(pump: Pump): Promise<CtrlPlacements> {
    const author = new Author(1, 'ctrl', pastSettings(), pump);
    await author.begin();
    for (let i = 0; i < ENTRIES; i++) {
      await author.write(60);
      await author.rest();
    }
    return new CtrlPlacements(await author.end());
  }

  async run(placement: number, pump: Pump): Promise<CaseResult> {
    const past = this.#past;
    const trial = new Trial({ seed: 1 + placement, settings: past.settings, pump });
    trial.restore(past.members.map(({ image }) => image));
    const random = trial.world.stream('damage');
    for (const [member, copies] of this.#copies.entries()) {
      for (const [entry, copy] of copies.entries()) if (isBad(placement, member, entry)) spoil(trial, member, copy, random);
    }
    trial.startAll();
    if (!mustWait(placement)) {
      const judged = await recovers(trial, past, UP_US);
      return { expected: 'recovered', ...judged };
    }
    await trial.pass(WAIT_US);
    const judged = await waits(trial, past);
    if (judged.outcome !== 'waits') return { expected: 'waits', ...judged };
    const withheld = await this.#withheld(trial, placement);
    if (withheld !== undefined) return { expected: 'waits', outcome: 'wrong', why: withheld };
    return { expected: 'waits', ...((await this.#resumes(trial, placement, lostEntries(placement))) ?? judged) };
  }

  /**
   * D1 Who waits serves what was applied before: all before the first entry that is bad here.
   * Undefined: it does.
   */
  async #withheld(trial: Trial, placement: number): Promise<string | undefined> {
    for (const [member, node] of trial.nodes.entries()) {
      const served = await trial.all(node, true);
      if (!('value' in served)) return `node ${node.id}, which is ${node.state}, serves no serializable read: ${served.refused}`;
      for (let entry = 0; entry < ENTRIES && !isBad(placement, member, entry); entry++) {
        if (!served.value.has(keyOf(entry))) return `node ${node.id} serves no ${keyOf(entry)}`;
      }
    }
    return undefined;
  }

  /** One member's copies of what was lost are good again. */
  async #resumes(trial: Trial, placement: number, lost: readonly number[]): Promise<{ outcome: 'wrong' | 'lost'; why: string } | undefined> {
    const past = this.#past;
    const member = placement % MEMBERS;
    const node = must(trial.nodes[member], 'it is one of three');
    trial.end(node);
    for (const entry of lost) {
      const { path, offset, length } = must(this.#copies[member]?.[entry], 'it is one of four');
      const whole = must(past.members[member]?.files.get(path), 'it lies in a file').subarray(offset, offset + length);
      node.disk.alter(path, offset, (bytes) => bytes.set(whole), length, false);
    }
    trial.restart(node);
    const { outcome, why } = await recovers(trial, past, UP_US);
    if (outcome === 'recovered') return undefined;
    return { outcome: outcome === 'waits' ? 'wrong' : outcome, why: `a copy is good again: ${why}` };
  }
}

/** Of the write that is its payload. */
function keyOf(entry: number): string {
  return `key 00000${entry + 1}`;
}

/** Bit `ENTRIES * member + entry` of the placement: that copy is bad. */
function isBad(placement: number, member: number, entry: number): boolean {
  return ((placement >> (ENTRIES * member + entry)) & 1) === 1;
}

function lostEntries(placement: number): number[] {
  const members = Array.from({ length: MEMBERS }, (_, member) => member);
  const everywhere = (entry: number): boolean => members.every((member) => isBad(placement, member, entry));
  return Array.from({ length: ENTRIES }, (_, entry) => entry).filter(everywhere);
}

/** Its bytes are others; what proves that it existed stays. */
function spoil(trial: Trial, member: number, { path, offset, length }: EntryCopy, random: Stream): void {
  const change = (bytes: Uint8Array): void => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ random.between(1, 255);
  };
  must(trial.nodes[member], 'it is one of three').disk.alter(path, offset, change, length, false);
}

/** Keys are named by nothing else. */
function puts({ path, offset, length }: EntryCopy, files: ReadonlyMap<string, Uint8Array>, key: Uint8Array): boolean {
  const bytes = must(files.get(path), 'it lies in a file').subarray(offset, offset + length);
  return bytes.some((_, at) => key.every((byte, i) => bytes[at + i] === byte));
}
