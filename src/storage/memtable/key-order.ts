/**
 * The keys of a memtable in order: a B+ tree (Bayer and McCreight 1972; leaves are chained). Keys
 * are only added, so nodes split and never merge. Its nodes are objects, one for some hundred keys;
 * what they hold are addresses and words.
 */

import { assert } from '../../base/assert.js';
import type { KeyRecords } from './key-records.js';
import { SORTED_KEYS_MAX, SortedKeys } from './sorted-keys.js';

export class Leaf extends SortedKeys {
  /** What its keys say of where they are. */
  readonly id: number;
  /** Sum of the live deltas of all versions in it. */
  liveDelta = 0;
  next: Leaf | undefined;
  previous: Leaf | undefined;

  constructor(records: KeyRecords, id: number) {
    super(records);
    this.id = id;
  }
}

/** Its keys are the least ones below each child but the first. */
class Inner extends SortedKeys {
  readonly children: Node[];

  constructor(records: KeyRecords, children: Node[]) {
    super(records);
    this.children = children;
  }
}

type Node = Leaf | Inner;

export class KeyOrder {
  readonly #records: KeyRecords;
  readonly #leaves: Leaf[] = [];
  #root: Node;
  #last: Leaf;
  /** Inner nodes from the root to the leaf that an insert goes to, and the children gone to. */
  readonly #path: Inner[] = [];
  readonly #turns: number[] = [];
  #depth = 0;

  constructor(records: KeyRecords) {
    this.#records = records;
    this.#last = this.#addLeaf();
    this.#root = this.#last;
  }

  leafOf(key: number): Leaf {
    return this.#leaves[this.#records.leaf(key)] as Leaf;
  }

  /** The leaf that has the key of these bytes, or would have it. */
  leafFor(target: Uint8Array, start: number, length: number): Leaf {
    let node = this.#root;
    while (node instanceof Inner) {
      const at = node.lowerBound(target, start, length);
      const bounded = at < node.count && this.#records.equals(node.key(at), target, start, length);
      node = node.children[bounded ? at + 1 : at] as Node;
    }
    return node;
  }

  /** For a key that is not in here, and so is no bound. */
  #descend(bytes: Uint8Array, start: number, length: number): Leaf {
    let node = this.#root;
    let depth = 0;
    while (node instanceof Inner) {
      const at = node.lowerBound(bytes, start, length);
      this.#path[depth] = node;
      this.#turns[depth++] = at;
      node = node.children[at] as Node;
    }
    this.#depth = depth;
    return node;
  }

  /** A key that is not in here, with its versions. */
  insert(key: number): void {
    const records = this.#records;
    const bytes = records.prefixBytes(key);
    const start = records.prefixStart(key);
    const length = records.prefixLength(key);
    const leaf = this.#descend(bytes, start, length);
    const at = leaf.add(key);
    records.setLeaf(key, leaf.id);
    leaf.liveDelta += records.liveDeltaSum(key);
    if (leaf.count === SORTED_KEYS_MAX) this.#splitLeaf(leaf, at);
  }

  #addLeaf(): Leaf {
    const leaf = new Leaf(this.#records, this.#leaves.length);
    this.#leaves.push(leaf);
    return leaf;
  }

  /** Ascending inserts leave full leaves behind; others leave halves. */
  #splitLeaf(leaf: Leaf, insertedAt: number): void {
    const records = this.#records;
    const atEnd = leaf === this.#last && insertedAt === leaf.count - 1;
    const right = this.#addLeaf();
    leaf.split(atEnd ? leaf.count - 1 : leaf.count >>> 1, right);
    for (let i = 0; i < right.count; i++) {
      const key = right.key(i);
      records.setLeaf(key, right.id);
      right.liveDelta += records.liveDeltaSum(key);
    }
    leaf.liveDelta -= right.liveDelta;
    right.previous = leaf;
    right.next = leaf.next;
    if (leaf.next === undefined) this.#last = right;
    else leaf.next.previous = right;
    leaf.next = right;
    this.#addChild(leaf, right, right.key(0), atEnd);
  }

  /** `right` was split off from `left`, and begins with `bound`. */
  #addChild(left: Node, right: Node, bound: number, atEnd: boolean): void {
    if (this.#depth === 0) {
      const root = new Inner(this.#records, [left, right]);
      root.add(bound);
      this.#root = root;
      return;
    }
    const parent = this.#path[--this.#depth] as Inner;
    const turn = this.#turns[this.#depth] as number;
    assert(parent.children[turn] === left, 'a node is split where it was found');
    const at = parent.add(bound);
    assert(at === turn, 'a bound lies where its child was found');
    parent.children.splice(turn + 1, 0, right);
    if (parent.count === SORTED_KEYS_MAX) this.#splitInner(parent, atEnd);
  }

  #splitInner(node: Inner, atEnd: boolean): void {
    const middle = atEnd ? node.count - 2 : node.count >>> 1;
    const right = new Inner(this.#records, node.children.splice(middle + 1));
    // The bound between the two halves goes up.
    node.split(middle + 1, right);
    const bound = node.key(middle);
    node.dropLast();
    assert(node.children.length === node.count + 1 && right.children.length === right.count + 1, 'a bound lies between two children');
    this.#addChild(node, right, bound, atEnd);
  }
}
