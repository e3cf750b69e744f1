/**
 * Verifies the answer to a range without making an object per key: every key is the expected one,
 * in order, and every value is one that was written under it. The load shares its cores with the
 * servers, so what it spends on an answer of 100 keys is missing there.
 */

import { isKeyAt, KEY_BYTES, verifyValueAt, wordsOf, type KeyList } from './values.js';

export class RangeCheck {
  #bytes: Buffer = Buffer.alloc(0);
  #words = wordsOf(this.#bytes);
  #at = 0;
  #end = 0;
  #broken = false;
  /** Of the last answer: keys in it, and etcd's `more` and `count`. */
  keys = 0;
  more = false;
  count = 0;

  /**
   * True if `answer` (a RangeResponse) holds exactly `expected[from .. from + n)` with values of
   * `valueBytes` bytes that verify.
   */
  holds(answer: Buffer, expected: KeyList, from: number, n: number, valueBytes: number): boolean {
    this.#bytes = answer;
    this.#words = wordsOf(answer);
    this.#at = this.keys = this.count = 0;
    this.#end = answer.length;
    this.more = this.#broken = false;
    while (this.#at < answer.length && !this.#broken) {
      const tag = this.#varint();
      if (tag === 0x12) {
        if (this.keys === n || from + n > expected.count) return false;
        const length = this.#varint();
        const end = this.#at + length;
        if (end > answer.length || !this.#keyValue(end, expected, from + this.keys, valueBytes)) return false;
        this.keys++;
      } else if (tag === 0x18) this.more = this.#varint() !== 0;
      else if (tag === 0x20) this.count = this.#varint();
      else this.#skip(tag);
    }
    return !this.#broken && this.keys === n;
  }

  #keyValue(end: number, expected: KeyList, n: number, valueBytes: number): boolean {
    const words = this.#words;
    let sound = 0;
    while (this.#at < end && !this.#broken) {
      const tag = this.#varint();
      if (tag !== 0x0a && tag !== 0x2a) {
        this.#skip(tag);
        continue;
      }
      const length = this.#varint();
      const at = this.#at;
      this.#at += length;
      if (this.#at > end) return false;
      if (tag === 0x0a) {
        if (length !== KEY_BYTES || !isKeyAt(expected, n, words, at)) return false;
        sound |= 1;
      } else {
        if (length !== valueBytes || !verifyValueAt(expected, n, words, at, length)) return false;
        sound |= 2;
      }
    }
    return this.#at === end && sound === 3;
  }

  #varint(): number {
    let result = 0;
    let scale = 1;
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at++] as number;
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 0x80;
    }
    this.#broken = true;
    return 0;
  }

  #skip(tag: number): void {
    const wire = tag & 7;
    if (wire === 0) this.#varint();
    else if (wire === 2) {
      const length = this.#varint();
      this.#at += length;
    } else this.#broken = true;
    if (this.#at > this.#end) this.#broken = true;
  }
}
