/**
 * How many clients may be connected: so many that this process always has descriptors left for its
 * files and its peers. A member that cannot open a log segment ends, and idle clients must never
 * bring that about.
 */

import { readFileSync } from 'node:fs';

/** Kept back: tables that are open, the log, the manifest, peers, pages of the ops port. */
export const RESERVED_DESCRIPTORS = 512;
/** Where the system does not say. */
const USUAL_DESCRIPTORS = 4_096;

/** Descriptors that this process may have; what Linux says of it, Infinity if it is unlimited. */
export function descriptorLimit(limits = readLimits()): number {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (soft === 'unlimited') return Infinity;
  return soft !== undefined && /^\d+$/.test(soft) ? Number(soft) : USUAL_DESCRIPTORS;
}

/** At least one in eight, where there are so few that the reserve would take nearly all. */
export function maxConnections(descriptors = descriptorLimit()): number {
  return Math.max(Math.floor(descriptors / 8), descriptors - RESERVED_DESCRIPTORS);
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
