/**
 * How far the heap of JavaScript may grow before it is collected as a whole. Where a process
 * allocates little of it, V8 lets it grow by a tenth; what a server holds for a moment of blocks
 * and messages, which counts with it, then has all of it marked every few seconds, on every
 * processor, and who asks meanwhile waits for 30 ms. With as much room as what is alive that is
 * rare.
 */

import { setFlagsFromString } from 'node:v8';

/** Of what was alive when it was collected last. */
const GROWTH_PERCENT = 100;

/**
 * For this process, from its next collection on. Its memory stays bounded: V8 goes no further than
 * half the way to its limit at once.
 */
export function giveHeapRoom(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
