/** The client of a driver: one that is given stays its owner's, one that is made here is closed. */

import { connect, type Client, type ClientOptions } from '../client/client.js';

/** Either a client that there is, or how to make one. */
export type ClientSource = { readonly client: Client } | ClientOptions;

export function clientOf(source: ClientSource): { readonly client: Client; readonly isOwn: boolean } {
  return 'client' in source ? { client: source.client, isOwn: false } : { client: connect(source), isOwn: true };
}

/** Operations of a txn: etcd's bound is 128. */
const MOST_OPS = 100;

export function chunksOf<T>(items: readonly T[]): T[][] {
  const chunks: T[][] = [];
  for (let at = 0; at < items.length; at += MOST_OPS) chunks.push(items.slice(at, at + MOST_OPS));
  return chunks;
}
