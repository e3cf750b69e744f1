/**
 * A case: some calls whose answers belong together, on keys of its own. Its leases outlive the
 * longest run, unless that they end is what it asks: how long the calls take is chance.
 */

import type { Peer } from './peer.js';

export interface Case {
  readonly name: string;
  /** Whose words the answers are told in. */
  readonly service: string;
  /** The first etcd that can be asked, as `3.5`. */
  readonly since?: string;
  run(peer: Peer): Promise<void>;
}

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The end of the range of all keys with this prefix. */
export function prefixEnd(prefix: string): Buffer {
  const end = bytes(prefix);
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return end;
}

export function put(key: string, value: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { key: bytes(key), value: bytes(value), ...more };
}

export function range(key: string, end = '', more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { key: bytes(key), range_end: bytes(end), ...more };
}
