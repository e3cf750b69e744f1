import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { compareBytes, toHex, utf8 } from '../../base/bytes.js';
import { encodePrefix } from '../base/key.js';
import { SYSTEM_SPACE, USER_SPACE, type TreeWrite } from '../base/read-view.js';
import { Memtable, type MemCursor } from './memtable.js';

function put(key: string, revision: number, liveDelta = 0): TreeWrite {
  return { space: USER_SPACE, key: utf8(key), revision, sub: 0, tombstone: false, liveDelta, value: utf8(`${key}@${revision}`) };
}

const LAST = Number.MAX_SAFE_INTEGER;
const START = Uint8Array.of(0);
const END = Uint8Array.of(2);

function walk(cursor: MemCursor, forward: boolean): string[] {
  const out: string[] = [];
  if (forward) cursor.seek(START);
  else cursor.seekBefore(END);
  while (cursor.record !== undefined) {
    out.push(toHex(cursor.record.prefix));
    if (forward) cursor.next();
    else cursor.prev();
  }
  return out;
}

describe('Memtable', () => {
  it('holds keys in order with their versions, and sums live deltas over any range as of any write', () => {
    const step = fc.tuple(fc.nat(600), fc.integer({ min: -1, max: 1 }));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 900, size: 'max' }), fc.nat(600), fc.nat(600), fc.nat(900), (writes, a, b, at) => {
        const memtable = new Memtable();
        const keys = new Map<string, { revision: number; delta: number }[]>();
        const name = (n: number): string => n.toString(36);
        writes.forEach(([n, delta], i) => {
          memtable.insert(put(name(n), i + 1, delta), i + 1);
          keys.set(name(n), [{ revision: i + 1, delta }, ...(keys.get(name(n)) ?? [])]);
        });
        const sorted = [...keys.keys()].sort((x, y) => compareBytes(utf8(x), utf8(y)));
        const prefixes = sorted.map((k) => toHex(encodePrefix(USER_SPACE, utf8(k))));
        assert.deepEqual(walk(memtable.cursor(), true), prefixes);
        assert.deepEqual(walk(memtable.cursor(), false), [...prefixes].reverse());
        const [from, to] = [name(a), name(b)].map((k) => encodePrefix(USER_SPACE, utf8(k))) as [Uint8Array, Uint8Array];
        for (const sequence of [at, LAST]) {
          let want = 0;
          for (const [key, versions] of keys) {
            const prefix = encodePrefix(USER_SPACE, utf8(key));
            if (compareBytes(prefix, from) < 0 || compareBytes(prefix, to) >= 0) continue;
            for (const v of versions) if (v.revision <= sequence) want += v.delta;
          }
          assert.equal(memtable.liveDeltaSum(from, to, sequence), want);
        }
        for (const [key, versions] of keys) {
          const record = memtable.find(encodePrefix(USER_SPACE, utf8(key)));
          assert(record !== undefined);
          assert.equal(record.visible(at, LAST)?.revision, versions.find((v) => v.revision <= at)?.revision);
          assert.equal(record.visible(LAST, at)?.revision, versions.find((v) => v.revision <= at)?.revision);
        }
        assert.equal(memtable.find(encodePrefix(USER_SPACE, utf8('~'))), undefined);
      }),
      { numRuns: 60 },
    );
  });

  it('a cursor keeps its place while keys are inserted around it', () => {
    for (const forward of [true, false]) {
      const memtable = new Memtable();
      for (let i = 0; i < 500; i++) memtable.insert(put(`k${1000 + 2 * i}`, i + 1), 1);
      const cursor = memtable.cursor();
      const seen: string[] = [];
      if (forward) cursor.seek(START);
      else cursor.seekBefore(END);
      for (let i = 0; cursor.record !== undefined; i++) {
        seen.push(toHex(cursor.record.prefix));
        if (i % 3 === 0) memtable.insert(put(`k${1000 + ((i * 37) % 1000)}x`, 1000 + i), 2);
        if (forward) cursor.next();
        else cursor.prev();
      }
      const ordered = [...seen].sort();
      assert.deepEqual(seen, forward ? ordered : ordered.reverse());
      const old = Array.from({ length: 500 }, (_, i) => toHex(encodePrefix(USER_SPACE, utf8(`k${1000 + 2 * i}`))));
      assert(old.every((k) => seen.includes(k)), 'every key that was there at first is met');
    }
  });

  it('S2 a version that is not newer than the one before it is a bug', () => {
    const memtable = new Memtable();
    memtable.insert(put('a', 5), 1);
    assert.throws(() => memtable.insert(put('a', 5), 2), /S2/);
    assert.throws(() => memtable.insert(put('a', 4), 2), /S2/);
    const system = { ...put('a', 9), space: SYSTEM_SPACE } as const;
    memtable.insert(system, 3);
    memtable.insert(system, 4);
    assert.throws(() => memtable.insert({ ...system, revision: 8 }, 5), /S2/);
  });

  it('owns its bytes', () => {
    const memtable = new Memtable();
    const key = utf8('key');
    const value = utf8('value');
    memtable.insert({ ...put('x', 1), key, value }, 1);
    key.fill(0);
    value.fill(0);
    const record = memtable.find(encodePrefix(USER_SPACE, utf8('key')));
    assert.deepEqual(record && record.newest.value, utf8('value'));
    assert(memtable.bytes > 8);
  });
});
