import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compareBytes } from '../base/bytes.js';
import { CodecError } from '../base/errors.js';
import { ClientError } from './errors.js';
import { decodeTuple, encodeTuple, TUPLE_END, type Tuple, type TupleElement } from './tuple.js';

const hex = (tuple: Tuple): string => Buffer.from(encodeTuple(tuple)).toString('hex');

/** Small alphabets, so that equal beginnings and zero bytes are common. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('\0', 'a', 'b', '\u00ff', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'), maxLength: 4 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const bytes = fc.oneof(
  fc.array(fc.constantFrom(0, 1, 0xfe, 0xff), { maxLength: 4 }).map((list) => Uint8Array.from(list)),
  fc.uint8Array({ maxLength: 5 }),
);
const big = fc.oneof(
  fc.bigInt({ min: -300n, max: 300n }),
  fc.bigInt(-(2n ** 80n), 2n ** 80n),
  fc.tuple(fc.integer({ min: 0, max: 2039 }), fc.bigInt({ min: -1n, max: 1n }), fc.boolean())
    .map(([bits, off, negative]) => (negative ? -1n : 1n) * (2n ** BigInt(bits) + off)),
);
const number = fc.oneof(
  fc.double({ noNaN: true }), fc.integer({ min: -3, max: 3 }), fc.constantFrom(0, -0, Infinity, -Infinity, Number.MIN_VALUE),
);

const { element } = fc.letrec<{ element: TupleElement; array: TupleElement[] }>((tie) => ({
  element: fc.oneof({ depthSize: 'small' }, fc.constant(null), bytes, text, big, number, fc.boolean(), tie('array')),
  array: fc.array(tie('element'), { maxLength: 4 }),
}));
const tuple = fc.array(element, { maxLength: 4 });

const RANKS = ['null', 'bytes', 'string', 'array', 'bigint', 'number', 'boolean'];

function rank(of: TupleElement): number {
  if (of === null) return 0;
  if (of instanceof Uint8Array) return 1;
  return RANKS.indexOf(Array.isArray(of) ? 'array' : typeof of);
}

function byCodePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]].map((list) => list.map((char) => char.codePointAt(0) as number)) as [number[], number[]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = (left[i] as number) - (right[i] as number);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** The order that the encoding is to keep, written down without it. */
function compareElements(a: TupleElement, b: TupleElement): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (a === null || b === null) return 0;
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array);
  if (Array.isArray(a)) return compareTuples(a as Tuple, b as Tuple);
  if (typeof a === 'string') return byCodePoints(a, b as string);
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareTuples(a: Tuple, b: Tuple): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareElements(a[i] as TupleElement, b[i] as TupleElement);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

const withoutMinusZero = (of: unknown): unknown => {
  if (Object.is(of, -0)) return 0;
  return Array.isArray(of) ? of.map(withoutMinusZero) : of;
};

describe('tuples as keys', () => {
  it('bytes have the order of the tuples, equal ones are equal, and each is read back as it was', () => {
    fc.assert(fc.property(tuple, tuple, (a, b) => {
      const [left, right] = [encodeTuple(a), encodeTuple(b)];
      assert.equal(Math.sign(compareBytes(left, right)), Math.sign(compareTuples(a, b)));
      assert.deepEqual(decodeTuple(left), withoutMinusZero(a));
    }), { numRuns: 2_000 });
  });

  it('the range of a tuple has all that begin with it, and nothing else', () => {
    fc.assert(fc.property(tuple, tuple, fc.boolean(), (prefix, rest, related) => {
      const key = encodeTuple(related ? [...prefix, ...rest] : rest);
      const from = encodeTuple(prefix);
      const end = Uint8Array.from([...from, TUPLE_END]);
      const inside = compareBytes(key, from) >= 0 && compareBytes(key, end) < 0;
      const other = decodeTuple(key);
      assert.equal(inside, prefix.length <= other.length && compareTuples(prefix, other.slice(0, prefix.length)) === 0);
    }), { numRuns: 2_000 });
  });

  it('whatever bytes there are, they are read as a tuple that has these bytes, or refused', () => {
    const changed = tuple.map((of) => encodeTuple(of).map((byte, i) => (i === 2 ? byte ^ 1 : byte)));
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 24 }), changed), (bytes) => {
      let read: Tuple;
      try {
        read = decodeTuple(bytes);
      } catch (error) {
        assert.ok(error instanceof CodecError, String(error));
        return;
      }
      assert.deepEqual(encodeTuple(read), Uint8Array.from(bytes));
    }), { numRuns: 3_000 });
  });

  it('the format is that of the FoundationDB tuple layer', () => {
    assert.equal(hex([]), '');
    assert.equal(hex([null]), '00');
    assert.equal(hex([Uint8Array.of(0x66, 0, 0x6f)]), '016600ff6f00');
    assert.equal(hex(['F\u00d4O\0bar']), '0246c394' + '4f00ff62617200');
    assert.equal(hex([[Uint8Array.of(0x66), null, []]]), '0501660000ff050000');
    assert.equal(hex([0n, 1n, -1n, 255n, -255n, 256n]), '14' + '1501' + '13fe' + '15ff' + '1300' + '160100');
    assert.equal(hex([-5551212n]), '11ab4b93');
    assert.equal(hex([2n ** 64n]), '1d09010000000000000000');
    assert.equal(hex([-(2n ** 64n)]), '0bf6feffffffffffffffff');
    assert.equal(hex([-42]), '213fbaffffffffffff');
    assert.equal(hex([true, false]), '2726');
  });

  it('what has no place in an order is refused', () => {
    const refused = (of: unknown): void =>
      assert.throws(() => encodeTuple([of as TupleElement]), (error) => error instanceof ClientError && error.unsent);
    for (const of of [NaN, undefined, {}, '\ud800', 2n ** 2040n, Symbol('a'), () => 1, [NaN]]) refused(of);
    let deep: TupleElement = 1;
    for (let i = 0; i < 100; i++) deep = [deep];
    refused(deep);
    assert.throws(() => decodeTuple(new Uint8Array(1000).fill(5)), CodecError);
  });
});
