/** What a real process says that refuses to start, or goes on and warns. */

import assert from 'node:assert/strict';
import { ClusterNode, type NodeSpec } from '../scripts/lib/node.js';

/** Starts a member that must end by itself, with exit code 1, and say `what` on its last line. */
export async function refuses(node: ClusterNode, what: RegExp): Promise<void> {
  node.start();
  await ends(node, what);
}

export async function ends(node: ClusterNode, what: RegExp): Promise<void> {
  const deadline = Date.now() + 45_000;
  while (node.running && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(node.running, false, `${node.name} goes on`);
  await node.stop();
  assert.equal(node.exitCode, 1);
  const said = node.logTail(3).split('\n').filter((line) => line.startsWith('kintsugi: ') || line.startsWith('  try: ')).join('\n');
  assert.match(said, what);
}

export function other(node: ClusterNode, spec: Partial<NodeSpec>): ClusterNode {
  return new ClusterNode({ ...node.spec, ...spec });
}

/** Waits until its log says so. */
export async function says(node: ClusterNode, what: RegExp): Promise<void> {
  for (const deadline = Date.now() + 30_000; !what.test(node.logTail(40)); ) {
    assert.ok(Date.now() < deadline, `${node.name} does not say ${String(what)}:\n${node.logTail()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
