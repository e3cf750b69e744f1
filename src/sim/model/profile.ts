/**
 * What a run is: the faults that strike, and what its clients do. The clients of a plain profile
 * read and write; with `+streams` others beside them watch, and hold leases that they keep alive.
 * With `+ops` there is also what hosts and those who look after them do: clocks on the wall jump,
 * processes are paused for long, backups are taken, older copies of a directory are put back. The
 * faults of a seed are the same with and without; what is more has a plan of its own.
 */

import { PROFILES, type FaultProfile } from './fault.js';

const EXTRAS = ['+streams', '+ops'] as const;

export type SimProfile = FaultProfile | `${FaultProfile}${(typeof EXTRAS)[number]}`;

export const SIM_PROFILES: readonly SimProfile[] = [
  ...PROFILES, ...EXTRAS.flatMap((extra) => PROFILES.map((faults) => `${faults}${extra}` as const)),
];

export function faultsOf(profile: SimProfile): FaultProfile {
  return profile.split('+', 1)[0] as FaultProfile;
}

export function hasStreams(profile: SimProfile): boolean {
  return profile.includes('+');
}

export function hasOps(profile: SimProfile): boolean {
  return profile.endsWith('+ops');
}
