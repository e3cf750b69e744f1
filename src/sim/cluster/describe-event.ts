/** An event of the store as a row of the tape. */

import type { KintsugiEvent } from '../../base/events.js';

/** They come too often. */
export const QUIET = new Set<KintsugiEvent['type']>(['applied', 'log-sync']);

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

export function describeEvent(event: KintsugiEvent): string {
  const { type, ...data } = event;
  const parts = Object.entries(data).map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value, bigintText) : String(value)}`);
  return `${type} ${parts.join(' ')}`;
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
