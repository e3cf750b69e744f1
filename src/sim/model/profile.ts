/**
 * What a run is: the faults that strike, and what its clients do. The clients of a plain profile
 * read and write; with `+streams` others beside them watch, and hold leases that they keep alive.
 * The faults of a seed are the same with and without.
 */

import { PROFILES, type FaultProfile } from './fault.js';

const STREAMS = '+streams';

export type SimProfile = FaultProfile | `${FaultProfile}${typeof STREAMS}`;

export const SIM_PROFILES: readonly SimProfile[] = [...PROFILES, ...PROFILES.map((faults) => `${faults}${STREAMS}` as const)];

export function faultsOf(profile: SimProfile): FaultProfile {
  return (hasStreams(profile) ? profile.slice(0, -STREAMS.length) : profile) as FaultProfile;
}

export function hasStreams(profile: SimProfile): boolean {
  return profile.endsWith(STREAMS);
}
