/**
 * Conditions of a txn as they are spoken: `value('lock').equals('free')`, `missing('lock')`. A key
 * that does not exist has version, revisions and lease 0, and no value: any comparison of that
 * fails. Of a range all keys must hold.
 */

import type { Compare, CompareResult, CompareTarget } from '../api/requests.js';
import { boundsOf, bytesOf, whole, type Bytes, type KeyRange } from './requests.js';

/** What is compared of a key, and to be compared with. */
export class Condition<Value> {
  readonly #range: KeyRange | Bytes;
  readonly #target: (value: Value) => CompareTarget;

  constructor(range: KeyRange | Bytes, target: (value: Value) => CompareTarget) {
    this.#range = range;
    this.#target = target;
  }

  equals(value: Value): Compare {
    return this.#compare('equal', value);
  }

  differsFrom(value: Value): Compare {
    return this.#compare('not-equal', value);
  }

  isAbove(value: Value): Compare {
    return this.#compare('greater', value);
  }

  isBelow(value: Value): Compare {
    return this.#compare('less', value);
  }

  #compare(result: CompareResult, value: Value): Compare {
    return { result, target: this.#target(value), ...boundsOf(this.#range) };
  }
}

/** Bytes are compared in their order. */
export function value(range: KeyRange | Bytes): Condition<Bytes> {
  return new Condition(range, (bytes) => ({ kind: 'value', value: bytesOf(bytes) }));
}

/** How often it was put since it was created. */
export function version(range: KeyRange | Bytes): Condition<number> {
  return new Condition(range, (n) => ({ kind: 'version', version: whole(n, 'version') }));
}

export function createRevision(range: KeyRange | Bytes): Condition<number> {
  return new Condition(range, (n) => ({ kind: 'create', revision: whole(n, 'revision') }));
}

export function modRevision(range: KeyRange | Bytes): Condition<number> {
  return new Condition(range, (n) => ({ kind: 'mod', revision: whole(n, 'revision') }));
}

export function leaseOf(range: KeyRange | Bytes): Condition<bigint> {
  return new Condition(range, (lease) => ({ kind: 'lease', lease }));
}

export function exists(key: Bytes): Compare {
  return version(key).isAbove(0);
}

export function missing(key: Bytes): Compare {
  return version(key).equals(0);
}
