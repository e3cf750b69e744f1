/** What became of a case, by what clients saw and by nothing else. */

import { isDeepStrictEqual } from 'node:util';

/** What one member answered to a read of everything. */
export interface View {
  readonly member: string;
  /** When: while a member was still down, or at the end. */
  readonly early: boolean;
  readonly exited: boolean;
  /** undefined: it did not serve. */
  readonly found: ReadonlyMap<string, Buffer> | undefined;
  /** What was acknowledged when the read began. */
  readonly expected: ReadonlyMap<string, Buffer>;
}

/**
 * `lost`: a read lacked an acknowledged key; `forked`: two members that serve differ; `wrong`:
 * another value than was written; `unavailable`: no new write is taken; `stopped`: a member ended;
 * `silent`: a member runs and does not serve; `missed`: nobody met the damage, the case says
 * nothing (told of our members only).
 */
export type Word = 'lost' | 'forked' | 'wrong' | 'unavailable' | 'stopped' | 'silent' | 'missed';

export interface Outcome {
  /** None: every key was read right through every member, and writes went on. */
  readonly words: readonly Word[];
  readonly lostKeys: number;
  readonly wrongKeys: number;
  readonly detail: string;
}

const lostIn = ({ found, expected }: View): string[] => (found === undefined ? [] : [...expected.keys()].filter((key) => !found.has(key)));

const wrongIn = ({ found, expected }: View): string[] =>
  [...expected].flatMap(([key, value]) => (found?.get(key)?.equals(value) === false ? [key] : []));

function describe(view: View): string {
  const said = view.exited ? 'ended' : view.found === undefined ? 'does not serve' : `${view.found.size} keys`;
  return `${view.member}${view.early ? ' before' : ''}: ${said}`;
}

/**
 * `views`: reads of all keys. `writes`: a new write was acknowledged at the end. `met`: the damage
 * was met by whoever has it.
 */
export function judge(views: readonly View[], writes: boolean, met = true): Outcome {
  const lost = new Set(views.flatMap(lostIn));
  const wrong = new Set(views.flatMap(wrongIn));
  const last = views.filter(({ early }) => !early);
  const served = last.flatMap(({ found }) => (found === undefined ? [] : [found]));
  const words: Word[] = [];
  if (lost.size > 0) words.push('lost');
  if (served.some((found) => !isDeepStrictEqual(found, served[0]))) words.push('forked');
  if (wrong.size > 0) words.push('wrong');
  if (!writes || served.length === 0) words.push('unavailable');
  if (last.some(({ exited }) => exited)) words.push('stopped');
  if (last.some(({ exited, found }) => !exited && found === undefined)) words.push('silent');
  if (!met) words.push('missed');
  return { words, lostKeys: lost.size, wrongKeys: wrong.size, detail: views.map(describe).join(', ') };
}
