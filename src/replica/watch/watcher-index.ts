/**
 * Which watchers a key concerns: single keys by name, ranges in an interval tree (an AVL tree by
 * the beginning, each node with the furthest end below it). Watchers of the same range share a
 * node. Keys are strings of one character per byte, whose order is that of the bytes.
 */

import { assert } from '../../base/assert.js';
import type { Watcher } from './watcher.js';

interface Node {
  readonly from: string;
  readonly to: string;
  readonly watchers: Set<Watcher>;
  left: Node | undefined;
  right: Node | undefined;
  height: number;
  /** Of this node and all below it. */
  furthest: string;
}

const heightOf = (node: Node | undefined): number => node?.height ?? 0;

function settle(node: Node): Node {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  let { to: furthest } = node;
  if (left !== undefined && left.furthest > furthest) furthest = left.furthest;
  if (right !== undefined && right.furthest > furthest) furthest = right.furthest;
  node.furthest = furthest;
  return node;
}

function rotateRight(node: Node, left: Node): Node {
  node.left = left.right;
  left.right = settle(node);
  return settle(left);
}

function rotateLeft(node: Node, right: Node): Node {
  node.right = right.left;
  right.left = settle(node);
  return settle(right);
}

function balance(node: Node): Node {
  settle(node);
  const { left, right } = node;
  const lean = heightOf(left) - heightOf(right);
  if (left !== undefined && lean > 1) {
    if (left.right !== undefined && heightOf(left.right) > heightOf(left.left)) node.left = rotateLeft(left, left.right);
    return rotateRight(node, node.left as Node);
  }
  if (right !== undefined && lean < -1) {
    if (right.left !== undefined && heightOf(right.left) > heightOf(right.right)) node.right = rotateRight(right, right.left);
    return rotateLeft(node, node.right as Node);
  }
  return node;
}

/** Order of an interval and a node: by beginning, then end. */
function order(from: string, to: string, node: Node): number {
  if (from !== node.from) return from < node.from ? -1 : 1;
  if (to !== node.to) return to < node.to ? -1 : 1;
  return 0;
}

function insert(node: Node | undefined, watcher: Watcher): Node {
  const { from, to } = watcher;
  if (node === undefined) {
    return { from, to, watchers: new Set([watcher]), left: undefined, right: undefined, height: 1, furthest: to };
  }
  const way = order(from, to, node);
  if (way === 0) node.watchers.add(watcher);
  else if (way < 0) node.left = insert(node.left, watcher);
  else node.right = insert(node.right, watcher);
  return balance(node);
}

function withoutFirst(node: Node): Node | undefined {
  if (node.left === undefined) return node.right;
  node.left = withoutFirst(node.left);
  return balance(node);
}

function firstOf(node: Node): Node {
  let first = node;
  while (first.left !== undefined) first = first.left;
  return first;
}

function remove(node: Node | undefined, watcher: Watcher): Node | undefined {
  if (node === undefined) return undefined;
  const way = order(watcher.from, watcher.to, node);
  if (way < 0) node.left = remove(node.left, watcher);
  else if (way > 0) node.right = remove(node.right, watcher);
  else {
    node.watchers.delete(watcher);
    if (node.watchers.size > 0) return node;
    if (node.left === undefined) return node.right;
    if (node.right === undefined) return node.left;
    const next = firstOf(node.right);
    next.right = withoutFirst(node.right);
    next.left = node.left;
    return balance(next);
  }
  return balance(node);
}

export class WatcherIndex {
  readonly #keys = new Map<string, Set<Watcher>>();
  #ranges: Node | undefined;
  readonly #all = new Set<Watcher>();

  get size(): number {
    return this.#all.size;
  }

  /** In the order in which they came. */
  [Symbol.iterator](): IterableIterator<Watcher> {
    return this.#all.values();
  }

  add(watcher: Watcher): void {
    assert(!this.#all.has(watcher), 'W1 a watcher is in one place');
    this.#all.add(watcher);
    if (!watcher.single) {
      this.#ranges = insert(this.#ranges, watcher);
      return;
    }
    const there = this.#keys.get(watcher.from);
    if (there === undefined) this.#keys.set(watcher.from, new Set([watcher]));
    else there.add(watcher);
  }

  /** Nothing, if it is not in here. */
  remove(watcher: Watcher): void {
    if (!this.#all.delete(watcher)) return;
    if (!watcher.single) {
      this.#ranges = remove(this.#ranges, watcher);
      return;
    }
    const there = this.#keys.get(watcher.from);
    there?.delete(watcher);
    if (there?.size === 0) this.#keys.delete(watcher.from);
  }

  /** All that the key concerns go to the end of `into`. */
  matching(key: string, into: Watcher[]): void {
    const single = this.#keys.get(key);
    if (single !== undefined) for (const watcher of single) into.push(watcher);
    this.#stab(this.#ranges, key, into);
  }

  #stab(node: Node | undefined, key: string, into: Watcher[]): void {
    if (node === undefined || node.furthest <= key) return;
    this.#stab(node.left, key, into);
    if (node.from > key) return;
    if (key < node.to) for (const watcher of node.watchers) into.push(watcher);
    this.#stab(node.right, key, into);
  }
}
