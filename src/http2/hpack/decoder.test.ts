import assert from 'node:assert/strict';
import { HpackDecoder } from './decoder.js';
import { Collected, decodeAll, tableOf } from './testing/collect.js';
import { PlainEncoder, plainInteger, type Choice, type Pair } from './testing/plain-hpack.js';

type Part = number | readonly number[];
const block = (...parts: readonly Part[]): Uint8Array => Uint8Array.from(parts.flat());

const resize = (bytes: number): number[] => plainInteger(0x20, 5, bytes);
const index = (n: number): number[] => plainInteger(0x80, 7, n);
/** A literal to be remembered, with texts as they are. */
const remember = (name: string, value: string): number[] => literal(0x40, name, value);
const literal = (flags: number, name: string, value: string): number[] => [
  flags,
  ...plainInteger(0, 7, name.length),
  ...Buffer.from(name, 'latin1'),
  ...plainInteger(0, 7, value.length),
  ...Buffer.from(value, 'latin1'),
];

const PLAIN: Choice = { indexed: true, nameIndexed: true, literal: 'remembered', huffman: false };

function isBroken(...parts: readonly Part[]): void {
  assert.equal(decodeAll(new HpackDecoder(), block(...parts)), undefined);
}

describe('HpackDecoder', () => {
  it('reads an empty block as no fields', () => assert.deepEqual(decodeAll(new HpackDecoder(), block()), []));

  it('keeps the bytes of a value as they are', () => {
    const value = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
    assert.deepEqual(decodeAll(new HpackDecoder(), block(remember('x', value))), [['x', value]]);
  });

  it('2.3.3: refuses index 0 and indexes beyond the table', () => {
    isBroken(0x80);
    isBroken(index(62));
    isBroken(remember('a', 'b'), index(63));
    isBroken(index(2 ** 28));
    isBroken(plainInteger(0x40, 6, 62), 1, 0x61);
    isBroken(plainInteger(0x00, 4, 62), 1, 0x61);
    assert.deepEqual(decodeAll(new HpackDecoder(), block(remember('a', 'b'), index(62), index(61))), [
      ['a', 'b'],
      ['a', 'b'],
      ['www-authenticate', ''],
    ]);
  });

  it('refuses a block that ends anywhere inside of a field', () => {
    const whole = block(remember('name', 'value'), literal(0x10, 'other', 'text'), plainInteger(0x0f, 4, 300), resize(31));
    const sound = [block(remember('name', 'value')).length, block(remember('name', 'value'), literal(0x10, 'other', 'text')).length];
    for (let length = 1; length < whole.length; length++) {
      const fields = decodeAll(new HpackDecoder(), whole.slice(0, length));
      assert.equal(fields !== undefined, sound.includes(length), `${length} of ${whole.length} bytes`);
    }
  });

  it('refuses broken strings as name and as value', () => {
    // Eight bits of padding; a padding of zeros.
    for (const string of [[0x81, 0xff], [0x81, 0x00]]) {
      isBroken(0x40, string, 0x01, 0x61);
      isBroken(0x40, 0x01, 0x61, string);
      isBroken(0x00, 0x01, 0x61, string);
    }
  });

  it('4.2: takes up to two changes of size, at the start of a block alone', () => {
    const decoder = new HpackDecoder();
    assert.deepEqual(decodeAll(decoder, block(resize(0), resize(4096), 0x82)), [[':method', 'GET']]);
    assert.deepEqual(decodeAll(decoder, block(resize(100))), []);
    isBroken(0x82, resize(4096));
    isBroken(resize(0), 0x82, resize(4096));
    isBroken(remember('a', 'b'), resize(4096));
    isBroken(resize(0), resize(1), resize(2));
  });

  it('4.2: refuses a size above what our SETTINGS allow', () => {
    isBroken(resize(4097));
    isBroken(resize(0), resize(2 ** 27));
    assert.equal(decodeAll(new HpackDecoder(100), block(resize(101))), undefined);
    assert.deepEqual(decodeAll(new HpackDecoder(100), block(resize(100))), []);
    assert.deepEqual(decodeAll(new HpackDecoder(8192), block(resize(8192))), []);
  });

  it('4.3: a smaller size drives out the oldest', () => {
    const decoder = new HpackDecoder();
    decodeAll(decoder, block(remember('a', '1'), remember('b', '2'), remember('c', '3')));
    assert.deepEqual(decodeAll(decoder, block(resize(68), index(62), index(63))), [['c', '3'], ['b', '2']]);
    assert.deepEqual(tableOf(decoder), [['c', '3'], ['b', '2']]);
    decodeAll(decoder, block(resize(0), resize(4096)));
    assert.deepEqual(tableOf(decoder), []);
  });

  it('4.4: a new field drives out the oldest, and one that is larger than the table all', () => {
    const decoder = new HpackDecoder(100);
    decodeAll(decoder, block(remember('a', '1'), remember('b', '2'), remember('c', '3')));
    assert.deepEqual(tableOf(decoder), [['c', '3'], ['b', '2']]);
    decodeAll(decoder, block(remember('d', '4'.repeat(67))));
    assert.deepEqual(tableOf(decoder), [['d', '4'.repeat(67)]]);
    assert.deepEqual(decodeAll(decoder, block(remember('e', '5'.repeat(68)), 0x82)), [['e', '5'.repeat(68)], [':method', 'GET']]);
    assert.deepEqual(tableOf(decoder), []);
  });

  it('4.4: the name of a field that it drives out is still its name', () => {
    const decoder = new HpackDecoder(64);
    decodeAll(decoder, block(remember('name', 'first')));
    assert.deepEqual(decodeAll(decoder, block(plainInteger(0x40, 6, 62), 1, 0x62)), [['name', 'b']]);
    assert.deepEqual(tableOf(decoder), [['name', 'b']]);
  });

  it('holds as many fields as the table has room for, in their order, over many times its size', () => {
    const decoder = new HpackDecoder();
    const encoder = new PlainEncoder();
    for (let i = 0; i < 1000; i++) {
      const fields: Pair[] = [['', `${i % 10}`.repeat(i % 3)], [`n${i}`, '']];
      assert.deepEqual(decodeAll(decoder, encoder.block(fields, PLAIN)), fields);
    }
    assert.deepEqual(tableOf(decoder), encoder.table.fields);
    const full = new HpackDecoder();
    for (let i = 0; i < 300; i++) decodeAll(full, block(remember('', '')));
    assert.equal(tableOf(full).length, 4096 / 32);
  });

  it('gives a field of a table as one object, and each connection its own', () => {
    const decoder = new HpackDecoder();
    const collected = new Collected();
    const all = block(remember('a', 'b'), index(62), index(3), index(3));
    decoder.decode(all, 0, all.length, collected);
    const [first, second, post, again] = collected.fields;
    assert.equal(second, first);
    assert.equal(again, post);
    const other = new Collected();
    new HpackDecoder().decode(block(index(3)), 0, 1, other);
    assert.deepEqual(other.pairs, [[':method', 'POST']]);
    assert.notEqual(other.fields[0], post);
  });

  it('has another generation after each change of the table, and only then', () => {
    const decoder = new HpackDecoder();
    const generations = new Set([decoder.generation]);
    const changing = [remember('a', 'b'), resize(50), remember('x'.repeat(5000), ''), resize(4096), remember('c', 'd')];
    for (const change of changing) {
      decodeAll(decoder, block(change));
      assert.equal(generations.has(decoder.generation), false);
      generations.add(decoder.generation);
    }
    const { generation } = decoder;
    assert.deepEqual(decodeAll(decoder, block(index(62), index(3), literal(0x00, 'a', 'b'), literal(0x10, 'c', 'd')))?.length, 4);
    assert.equal(decoder.generation, generation);
  });

  it('a sink that wants no more is given no more, and the table is as if it had', () => {
    const decoder = new HpackDecoder();
    const collected = new Collected(2);
    const all = block(index(3), remember('a', 'b'), index(62), remember('c', 'd'), literal(0x00, 'e', 'f'));
    assert.equal(decoder.decode(all, 0, all.length, collected), 'ok');
    assert.deepEqual(collected.pairs, [[':method', 'POST'], ['a', 'b']]);
    assert.deepEqual(tableOf(decoder), [['c', 'd'], ['a', 'b']]);
  });

  it('a block that breaks after the sink wanted no more is broken', () => {
    const all = block(index(3), index(3), 0x80);
    assert.equal(new HpackDecoder().decode(all, 0, all.length, new Collected(1)), 'broken');
  });
});
