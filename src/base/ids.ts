/**
 * Numbers that must not be mixed carry a flavour: a `Term` is never accepted where a `LogIndex` is
 * expected, and both are plain numbers at run time. Arithmetic gives a plain number, which any
 * flavour accepts; what comes from a wire or a disk passes through the checking constructor.
 */

import { assert } from './assert.js';

declare const flavour: unique symbol;
type Flavour<T, Name extends string> = T & { readonly [flavour]?: Name };

/** Position of an entry in the Raft log; the first entry has index 1. */
export type LogIndex = Flavour<number, 'LogIndex'>;
/** Raft term; 0 before the first election. */
export type Term = Flavour<number, 'Term'>;
/** Member id, below 2^53; 0 means none. */
export type NodeId = Flavour<number, 'NodeId'>;
/** What all members of the cluster can read; 1 and up (`replica/base/protocol.ts`). */
export type ClusterVersion = Flavour<number, 'ClusterVersion'>;
/** Id of a table, given out when its edit is applied, never reused. */
export type TableId = Flavour<number, 'TableId'>;
/** etcd's revision; 1 in an empty store. */
export type Revision = Flavour<number, 'Revision'>;
/** Lease id: the full int63 of etcd's wire. 0n means none. */
export type LeaseId = Flavour<bigint, 'LeaseId'>;
/** XXH64, 64 bits. */
export type Digest64 = Flavour<bigint, 'Digest64'>;
/** XXH128 as 32 lower-case hex digits. */
export type Digest128 = Flavour<string, 'Digest128'>;

function checked(n: number, what: string): number {
  assert(Number.isSafeInteger(n) && n >= 0, `${what} is a whole number from 0 to 2^53-1, got ${n}`);
  return n;
}

export const LogIndex = (n: number): LogIndex => checked(n, 'log index');
export const Term = (n: number): Term => checked(n, 'term');
export const NodeId = (n: number): NodeId => checked(n, 'node id');
export const TableId = (n: number): TableId => checked(n, 'table id');
export const Revision = (n: number): Revision => checked(n, 'revision');

/** Member ids are shown as etcd shows them: lower-case hex without leading zeros. */
export function formatId(id: NodeId): string {
  return id.toString(16);
}
