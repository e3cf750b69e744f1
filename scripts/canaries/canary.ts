/**
 * A canary is a bug that was put in on purpose, to see that the simulator finds it; a mutant is one
 * that a test of the sources must find. It lives here,
 * as a change of the sources, and nowhere else: no switch of any kind is in the code that ships. A
 * change that no longer fits the sources exactly once is an error, so that a canary cannot die
 * unnoticed.
 */

import type { SimProfile } from '../../src/sim/model/profile.js';

export interface Edit {
  /** Below src/. */
  readonly file: string;
  /** Occurs exactly once in the file, as it is before all edits of the canary. */
  readonly find: string;
  readonly replace: string;
}

/** A bug, put in. */
export interface Planted {
  /** Words with hyphens. */
  readonly name: string;
  /** One sentence: what the damaged store does. */
  readonly what: string;
  /** Id of the invariant that no longer holds, as in INVARIANTS.md. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
}

/** One that a test finds: what a run of the simulator meets too seldom, or cannot tell. */
export interface Mutant extends Planted {
  readonly killedBy: NamedTest;
}

export interface NamedTest {
  /** Below src/. */
  readonly file: string;
  /** A part of its title, or all of it. */
  readonly title: string;
}

export interface Canary extends Planted {
  readonly profile: SimProfile;
  /** One of them must be what finds it. Default: any check. */
  readonly expectedChecks?: readonly string[];
}

export class CanaryError extends Error {
  override readonly name = 'CanaryError';
}

/**
 * The source of one file after the canary's edits. Throws CanaryError unless each fits exactly
 * once.
 */
export function edited(canary: Planted, file: string, source: string): string {
  const edits = canary.edits.filter((edit) => edit.file === file).map((edit) => ({ ...edit, at: placeOf(canary, edit, source) }));
  edits.sort((a, b) => a.at - b.at);
  let out = '';
  let from = 0;
  for (const { at, find, replace } of edits) {
    if (at < from) throw new CanaryError(`canary ${canary.name}: two edits of src/${file} overlap`);
    out += source.slice(from, at) + replace;
    from = at + find.length;
  }
  return out + source.slice(from);
}

function placeOf(canary: Planted, edit: Edit, source: string): number {
  const at = source.indexOf(edit.find);
  const where = `canary ${canary.name}: src/${edit.file}`;
  if (at < 0) throw new CanaryError(`${where} no longer has\n${edit.find}`);
  if (source.indexOf(edit.find, at + 1) >= 0) throw new CanaryError(`${where} has this more than once\n${edit.find}`);
  return at;
}

/** Files that a canary changes, without repetitions. */
export function filesOf(canary: Planted): readonly string[] {
  return [...new Set(canary.edits.map((edit) => edit.file))];
}
