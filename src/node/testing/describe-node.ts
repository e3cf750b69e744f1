/** A member in words, for the message of a test that failed. */

import type { Disk } from '../../base/disk.js';
import { messageOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import type { NodeId } from '../../base/ids.js';
import type { ClusterNode } from './cluster-node.js';

/** A member did what none may do, or could not go on. `cause`: why. */
export class MemberFailure extends Error {
  readonly node: NodeId;

  constructor(node: ClusterNode<Disk>, what: string, cause: unknown) {
    const why = cause instanceof Error ? cause.stack : messageOf(cause);
    super(`node ${node.id}: ${what}: ${why}\n${lastEvents(node)}`, { cause });
    this.name = 'MemberFailure';
    this.node = node.id;
  }
}

export function describeNode(node: ClusterNode<Disk>): string {
  if (!node.up) return `node ${node.id} is ${node.state}\n${lastEvents(node)}`;
  const { replica, store } = node;
  const status = store.status();
  const progress = [...(replica.driver.node.status().progress ?? [])].map(([id, p]) => `${id}:${p.state}/${p.match}/${p.next}`);
  const owed = replica.tree.owed().map((table) => `${table.id} of ${table.birth.sequence}.${table.birth.ordinal}`);
  const { seals, plans } = replica.tree.latest;
  const planned = plans.map(({ index, inputs }) => ({ index, inputs: inputs.map(({ id }) => id) }));
  const pending = { seals: seals.map(({ index }) => index), plans: planned };
  const short = { ...status, manifest: undefined, members: undefined, scrub: undefined, progress, owed, pending };
  return `${JSON.stringify(short)}\n${lastEvents(node)}`;
}

const QUIET = new Set<KintsugiEvent['type']>(['applied', 'log-sync', 'materialized', 'edit', 'produced', 'sealed']);

function lastEvents(node: ClusterNode<Disk>): string {
  const telling = node.events.filter((event) => !QUIET.has(event.type)).slice(-12);
  return telling.map((event) => `    ${JSON.stringify(event, bigintText)}`).join('\n');
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
