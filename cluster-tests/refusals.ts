/** What a real process says that refuses to start, or goes on and warns. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { ClusterNode, type NodeSpec } from '../scripts/lib/node.js';

const PATIENCE_MS = 45_000;
const POLL_MS = 50;

/** Starts a member that must end by itself, with exit code 1, and say `what` on its last line. */
export async function refuses(node: ClusterNode, what: RegExp): Promise<void> {
  node.start();
  await ends(node, what);
}

export async function ends(node: ClusterNode, what: RegExp): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
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

export async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; !(await condition()); ) {
    assert.ok(Date.now() < deadline, `waited for ${what} in vain`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** What a member says from now on, however often it said the same before. */
export class Ear {
  readonly #node: ClusterNode;
  readonly #from: number;

  constructor(node: ClusterNode) {
    this.#node = node;
    this.#from = existsSync(node.spec.logFile) ? statSync(node.spec.logFile).size : 0;
  }

  get #lines(): string[] {
    const { logFile } = this.#node.spec;
    return existsSync(logFile) ? readFileSync(logFile).subarray(this.#from).toString().split('\n') : [];
  }

  /** In one line all of it. */
  hasHeard(...words: readonly RegExp[]): boolean {
    return this.#lines.some((line) => words.every((each) => each.test(line)));
  }

  async hears(...words: readonly RegExp[]): Promise<void> {
    for (const deadline = Date.now() + PATIENCE_MS; !this.hasHeard(...words); ) {
      assert.ok(Date.now() < deadline, `${this.#node.name} does not say ${words.join(' and ')}:\n${this.#node.logTail(30)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
