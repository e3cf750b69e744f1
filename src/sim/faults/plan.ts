/**
 * What goes wrong in a run, and when: a pure function of seed, profile and settings. Swarm testing
 * (Groce et al., 2012): not only chance differs from seed to seed but what chance may do. A seed
 * has its own classes, structures, kinds, weights and rhythm, so that rare combinations come in
 * crowds, and what hides when everything happens at once shows when only some of it does.
 *
 * Of a disk action the structure is drawn first and then a fault that fits it: every cell is
 * reached often, however many bytes a structure has.
 */

import { faultsOf, hasOps, type SimProfile } from '../model/profile.js';
import type { RunSettings } from '../model/settings.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import { kindsOf } from './cells.js';
import {
  MEMBER_FAULTS, NETWORK_FAULTS, OPS_FAULTS, PROCESS_FAULTS, STRUCTURES,
  type DiskFault, type FaultAction, type FaultClass, type FaultKind, type FaultProfile, type MemberFault,
  type NetworkFault, type OpsFault, type ProcessFault, type Spread, type Structure,
} from '../model/fault.js';

type Drawn = Omit<FaultAction, 'id'>;

interface Weighted<T> {
  readonly item: T;
  readonly weight: number;
}

const SECOND_US = 1_000_000;
/** Actions end before the faults do: the last ones begin so much earlier. */
const LAST_BEFORE_END_US = 8 * SECOND_US;

type Span = Pick<RunSettings, 'faultsFromUs' | 'faultsUntilUs'>;

/** All that strikes in a run. What came later has plans of its own, behind those before it. */
export function wholePlan(world: World, profile: SimProfile, settings: Span): FaultAction[] {
  const faults = faultsOf(profile);
  const plan = planFaults(world, faults, settings);
  if (hasOps(profile)) plan.push(...planOps(world, settings, plan.length));
  plan.push(...planJoined(world, faults, settings, plan.length));
  plan.push(...planLogs(world, faults, settings, plan.length));
  return plan;
}

export function planFaults(world: World, profile: FaultProfile, settings: Span): FaultAction[] {
  const random = world.stream('plan');
  const times = drawRhythm(random, settings.faultsFromUs, Math.max(settings.faultsFromUs, settings.faultsUntilUs - LAST_BEFORE_END_US));
  const drawn = [
    ...drawDisk(world.stream('plan disk'), profile, times),
    ...drawNetwork(world.stream('plan network'), times),
    ...drawProcess(world.stream('plan process'), profile, times),
    ...drawMembers(world.stream('plan members'), profile, times),
  ];
  // Sorting is stable: of one microsecond the order of the classes stays.
  return drawn.sort((a, b) => a.atUs - b.atUs).map((action, id) => ({ id, ...action }));
}

/**
 * What strikes besides, in profiles with `+ops`: a plan of its own, numbered from `firstId` on, so
 * that the one beside it stays what it is.
 */
export function planOps(world: World, settings: Span, firstId: number): FaultAction[] {
  const random = world.stream('plan ops');
  const times = drawRhythm(random, settings.faultsFromUs, Math.max(settings.faultsFromUs, settings.faultsUntilUs - LAST_BEFORE_END_US));
  const kinds = swarm<OpsFault>(random, OPS_FAULTS, 3, 4, [1, 2]);
  const drawn = drawKinds(random, 'ops', kinds, random.between(3, 9), times);
  return drawn.sort((a, b) => a.atUs - b.atUs).map((action, i) => ({ id: firstId + i, ...action }));
}

/**
 * What strikes the files that say who a member is, which only those have that were re-admitted: a
 * plan of its own for the same reason.
 */
export function planJoined(world: World, profile: FaultProfile, settings: Span, firstId: number): FaultAction[] {
  const kinds = kindsOf('joined-file', profile);
  if (kinds.length === 0) return [];
  const random = world.stream('plan joined');
  const times = drawRhythm(random, settings.faultsFromUs, Math.max(settings.faultsFromUs, settings.faultsUntilUs - LAST_BEFORE_END_US));
  const drawn = Array.from({ length: random.between(0, 3) }, (): Drawn =>
    ({ atUs: times(random), class: 'disk', kind: random.pick(kinds), structure: 'joined-file', spread: 'one' }));
  return drawn.sort((a, b) => a.atUs - b.atUs).map((action, i) => ({ id: firstId + i, ...action }));
}

const LOG_PARTS: readonly Weighted<Structure>[] = [
  { item: 'log-record', weight: 3 }, { item: 'log-identity', weight: 2 }, { item: 'log-header', weight: 1 }, { item: 'log-file', weight: 3 },
];
/** What makes members read their logs again. */
const RESTARTS: readonly ProcessFault[] = ['crash', 'crash-leader', 'crash-all', 'crash-all', 'restart-storm'];

/**
 * Damage to logs shows only to who reads them: in a third of the seeds of profiles that recover
 * them from peers there are bouts of it, each followed by restarts. A plan of its own for the same
 * reason.
 */
export function planLogs(world: World, profile: FaultProfile, settings: Span, firstId: number): FaultAction[] {
  const random = world.stream('plan logs');
  if (profile === 'table' || !random.chance(1, 3)) return [];
  const lastUs = Math.max(settings.faultsFromUs, settings.faultsUntilUs - LAST_BEFORE_END_US);
  const times = drawRhythm(random, settings.faultsFromUs, lastUs);
  const spreads = random.pick(SPREADS);
  const kinds = new Map(LOG_PARTS.map(({ item }) => [item, swarm(random, kindsOf(item, profile), 2, 3, [1, 2])]));
  const bout = (): Drawn[] => {
    const fromUs = times(random);
    const soon = (seconds: number): number => Math.min(lastUs, fromUs + Math.floor((seconds + random.float()) * SECOND_US));
    const strikes = Array.from({ length: random.between(1, 4) }, (): Drawn => {
      const structure = pickWeighted(random, LOG_PARTS);
      const kind = pickWeighted(random, kinds.get(structure) as Weighted<DiskFault>[]);
      return { atUs: soon(0), class: 'disk', kind, structure, spread: pickWeighted(random, spreads) };
    });
    const restarts = Array.from({ length: random.between(1, 3) }, (): Drawn =>
      ({ atUs: soon(random.pick([1, 2, 4])), class: 'process', kind: random.pick(RESTARTS) }));
    return [...strikes, ...restarts];
  };
  const drawn = Array.from({ length: random.between(2, 6) }, bout).flat();
  return drawn.sort((a, b) => a.atUs - b.atUs).map((action, i) => ({ id: firstId + i, ...action }));
}

/** Gives times: evenly, in bursts, or with quiet minutes between. */
type Times = (random: Stream) => number;

function drawRhythm(random: Stream, fromUs: number, untilUs: number): Times {
  const span = Math.max(1, untilUs - fromUs);
  const anywhere = (stream: Stream): number => fromUs + Math.floor(stream.float() * span);
  const kind = random.pick(['even', 'bursts', 'bursts', 'quiet', 'both'] as const);
  if (kind === 'even') return anywhere;
  const centres = Array.from({ length: random.between(4, 14) }, () => anywhere(random));
  const widthUs = random.pick([2, 5, 10, 20]) * SECOND_US;
  const burst = (stream: Stream): number =>
    Math.max(fromUs, Math.min(untilUs, stream.pick(centres) + Math.floor((stream.float() + stream.float() - 1) * widthUs)));
  if (kind === 'bursts') return burst;
  if (kind === 'both') return (stream) => (stream.chance(1, 2) ? burst(stream) : anywhere(stream));
  // Every other stretch is quiet: long enough for everything to heal.
  const stretchUs = random.pick([30, 60, 90]) * SECOND_US;
  return (stream) => {
    const at = anywhere(stream) - fromUs;
    const stretch = Math.floor(at / stretchUs);
    return Math.min(untilUs, fromUs + (stretch % 2 === 0 ? at : Math.max(0, at - stretchUs)));
  };
}

/** Each is in with the chance n of `of`; if none is, all are. */
function swarm<T>(random: Stream, items: readonly T[], n: number, of: number, weights: readonly number[]): Weighted<T>[] {
  const all = items.map((item) => ({ item, active: random.chance(n, of), weight: random.pick(weights) }));
  const active = all.filter((one) => one.active);
  return active.length > 0 ? active : all;
}

function pickWeighted<T>(random: Stream, items: readonly Weighted<T>[]): T {
  let at = random.below(items.reduce((sum, { weight }) => sum + weight, 0));
  for (const { item, weight } of items) {
    at -= weight;
    if (at < 0) return item;
  }
  throw new RangeError('weights are positive');
}

/** Of a plan that has been drawn like this before the others were there. */
const PLANNED: readonly Structure[] = STRUCTURES.filter((structure) => structure !== 'joined-file');

const TABLE_PARTS: readonly Structure[] = ['table-data', 'table-parity', 'table-index', 'table-filter', 'table-properties', 'table-footer'];

const SPREADS: readonly (readonly Weighted<Spread>[])[] = [
  [{ item: 'one', weight: 1 }],
  [{ item: 'one', weight: 2 }, { item: 'same', weight: 3 }],
  [{ item: 'one', weight: 2 }, { item: 'helix', weight: 3 }],
  [{ item: 'one', weight: 3 }, { item: 'same', weight: 1 }, { item: 'helix', weight: 1 }],
];

function drawDisk(random: Stream, profile: FaultProfile, times: Times): Drawn[] {
  const count = random.pick([0, 20, 28, 36, 44, 48, 52, 60, 72]);
  const structures = swarm(random, PLANNED, 3, 5, [1, 1, 2, 4]);
  const spreads = random.pick(SPREADS);
  const kinds = new Map<Structure, Weighted<DiskFault>[]>();
  // One draw for all structures: a seed without bit flips has none anywhere, unless a structure
  // would be left with nothing.
  const active = new Map(PLANNED.flatMap((structure) => kindsOf(structure, 'full')).map((kind) => [kind, false]));
  for (const kind of active.keys()) active.set(kind, random.chance(2, 3));
  for (const structure of PLANNED) {
    const fitting = kindsOf(structure, profile);
    const wanted = fitting.filter((kind) => active.get(kind) === true);
    kinds.set(structure, (wanted.length > 0 ? wanted : fitting).map((item) => ({ item, weight: random.pick([1, 1, 2]) })));
  }
  const tables = TABLE_PARTS.map((item) => ({ item, weight: 1 }));
  return Array.from({ length: count }, () => {
    // A seventh goes to tables whatever the swarm says: they are what the store is for.
    const structure = pickWeighted(random, random.chance(1, 7) ? tables : structures);
    const kind = pickWeighted(random, kinds.get(structure) as Weighted<DiskFault>[]);
    return { atUs: times(random), class: 'disk', kind, structure, spread: pickWeighted(random, spreads) };
  });
}

function drawNetwork(random: Stream, times: Times): Drawn[] {
  const count = random.pick([0, 12, 24, 28, 32, 36, 40, 48]);
  return drawKinds(random, 'network', swarm<NetworkFault>(random, NETWORK_FAULTS, 2, 3, [1, 2, 3]), count, times);
}

/**
 * Those that take promises from a node: how often in a plan, at most, and only where a typed stop
 * is excused.
 */
const FORGETTING: readonly ProcessFault[] = ['wipe', 'roll-back'];
const OFTEN: readonly ProcessFault[] = ['crash', 'crash', 'crash-mid-write', 'crash-mid-write', 'crash-leader', 'pause'];

function drawProcess(random: Stream, profile: FaultProfile, times: Times): Drawn[] {
  const count = random.pick([0, 3, 6, 8, 9, 10, 12, 16]);
  const lasting = PROCESS_FAULTS.filter((kind) => !FORGETTING.includes(kind));
  const plan = drawKinds(random, 'process', swarm<ProcessFault>(random, [...lasting, ...OFTEN], 2, 3, [1, 2]), count, times);
  const forgets = random.chance(1, 3);
  const what = random.pick(FORGETTING);
  if (profile !== 'table' && forgets) plan.push({ atUs: times(random), class: 'process', kind: what });
  return plan;
}

/** Most seeds of `full` have none. */
function drawMembers(random: Stream, profile: FaultProfile, times: Times): Drawn[] {
  const some = random.chance(1, 3);
  if (profile === 'table' || (profile === 'full' && !some)) return [];
  const count = profile === 'members' ? random.between(4, 12) : random.between(1, 4);
  return drawKinds(random, 'member', swarm<MemberFault>(random, MEMBER_FAULTS, 2, 3, [1, 2]), count, times);
}

function drawKinds(random: Stream, of: Exclude<FaultClass, 'disk'>, kinds: readonly Weighted<FaultKind>[], count: number, times: Times): Drawn[] {
  return Array.from({ length: count }, () => ({ atUs: times(random), class: of, kind: pickWeighted(random, kinds) }));
}
