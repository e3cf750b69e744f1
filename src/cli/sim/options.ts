/** The words of the command line: seeds, action ids, profiles, seconds. */

import { SIM_PROFILES, type SimProfile } from '../../sim/model/profile.js';

/** The command line makes no sense: exit code 2. */
export class UsageFault extends Error {
  override readonly name = 'UsageFault';
}

const MAX_SEEDS = 1_000_000;

export function parseWhole(flag: string, text: string, least: number): number {
  const n = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(n) || n < least) throw new UsageFault(`${flag} takes a whole number from ${least}, got ${JSON.stringify(text)}`);
  return n;
}

/** `1..500`, `7`, `7,9,20..30`; both ends belong to a range. No seed twice. */
export function parseSeeds(text: string): readonly number[] {
  const seeds = new Set<number>();
  for (const part of text.split(',')) {
    const ends = /^(\d+)(?:\.\.(\d+))?$/.exec(part.trim());
    const from = Number(ends?.[1] ?? NaN);
    const to = Number(ends?.[2] ?? from);
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) throw new UsageFault(`--seeds takes A..B or a list such as 7,9,20..30, got ${JSON.stringify(text)}`);
    if (from > to) throw new UsageFault(`--seeds ${part} is empty: ${from} is more than ${to}`);
    if (to - from >= MAX_SEEDS) throw new UsageFault(`--seeds ${part} has more than ${MAX_SEEDS} seeds`);
    for (let seed = from; seed <= to; seed++) seeds.add(seed);
  }
  return [...seeds];
}

/** `3,7,9`, or `none`: no fault at all. */
export function parseIds(text: string): readonly number[] {
  if (text === 'none') return [];
  return [...new Set(text.split(',').map((part) => parseWhole('--only', part.trim(), 0)))].sort((a, b) => a - b);
}

export function parseProfile(text: string): SimProfile {
  const profile = SIM_PROFILES.find((each) => each === text);
  if (profile === undefined) throw new UsageFault(`--profile is table, full or members, or one of them with +streams or +ops, got ${JSON.stringify(text)}`);
  return profile;
}

/** Seconds with up to six decimals, in microseconds. */
export function parseSecondsUs(flag: string, text: string): number {
  const parts = /^(\d{1,7})(?:\.(\d{1,6}))?$/.exec(text);
  if (parts === null) throw new UsageFault(`${flag} takes seconds such as 90 or 12.345, got ${JSON.stringify(text)}`);
  return Number(parts[1]) * 1_000_000 + Number((parts[2] ?? '').padEnd(6, '0'));
}

/** As short as it can be said exactly. */
export function formatSecondsUs(us: number): string {
  const whole = Math.floor(us / 1_000_000);
  const rest = String(us % 1_000_000).padStart(6, '0').replace(/0+$/, '');
  return rest === '' ? String(whole) : `${whole}.${rest}`;
}
