/** How long the turns of a member's event loop took since the last look, by its own metrics. */

import type { ClusterNode } from './node.js';

const BUCKET = /^kintsugi_event_loop_turn_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm;

export class Turns {
  readonly #node: ClusterNode;
  #before = new Map<number, number>();

  constructor(node: ClusterNode) {
    this.#node = node;
  }

  /**
   * In ms, the bound of the bucket that holds the longest; Infinity: longer than all. A process
   * that has begun since counts from its beginning.
   */
  async longest(): Promise<number> {
    const answer = await fetch(`${this.#node.spec.metricsUrl}/metrics`, { signal: AbortSignal.timeout(10_000) });
    const now = new Map([...(await answer.text()).matchAll(BUCKET)].map(([, le, count]) => [le === '+Inf' ? Infinity : 1000 * Number(le), Number(count)]));
    const began = (now.get(Infinity) ?? 0) < (this.#before.get(Infinity) ?? 0);
    const before = began ? new Map<number, number>() : this.#before;
    this.#before = now;
    let [longest, below, belowBefore] = [0, 0, 0];
    for (const [bound, count] of now) {
      const earlier = before.get(bound) ?? 0;
      if (count - earlier > below - belowBefore) longest = bound;
      [below, belowBefore] = [count, earlier];
    }
    return longest;
  }
}
