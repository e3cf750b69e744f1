import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteBudget } from './byte-budget.js';
import { MessageBytes } from './message-bytes.js';
import { MessageReader } from './message-reader.js';
import { framed, prefix } from './testing/fake-stream.js';

const MiB = 1024 * 1024;

/** All that a reader makes of these parts, each of which is overwritten after it was read. */
function readAll(reader: MessageReader, parts: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (const part of parts) {
    const lent = Buffer.concat([Buffer.from([7]), part, Buffer.from([7])]);
    const to = part.length + 1;
    for (let at = 1; at < to; ) {
      const stop = reader.read(lent, at, to);
      assert.ok(stop > at && stop <= to, 'it gets on, and stays inside');
      at = stop;
      if (reader.message !== undefined) messages.push(reader.message);
    }
    lent.fill(0xee);
  }
  return messages;
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const edges = [0, ...at.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
}

describe('a reader of messages', () => {
  it('gets the same messages however the bytes are cut, and holds nothing afterwards', () => {
    const sizes = fc.array(fc.oneof(fc.nat(4), fc.nat(300), fc.nat(70_000)), { maxLength: 6 });
    fc.assert(fc.property(sizes, fc.array(fc.nat(), { maxLength: 12 }), (lengths, at) => {
      const messages = lengths.map((length, i) => new Uint8Array(length).fill(i + 1));
      const budget = new ByteBudget(MiB);
      const reader = new MessageReader(MiB, new MessageBytes(), budget);
      const read = readAll(reader, cut(framed(...messages), at));
      assert.deepEqual(read.map((message) => Buffer.from(message)), messages.map((message) => Buffer.from(message)));
      assert.deepEqual([reader.unfinished, reader.fault, budget.taken], [false, undefined, 0]);
    }));
  });

  it('reads a message in single bytes', () => {
    const bytes = framed(Buffer.from('hello'), Buffer.alloc(0), Buffer.from('world'));
    const read = readAll(new MessageReader(5, new MessageBytes(), new ByteBudget(100)), [...bytes].map((byte) => Uint8Array.of(byte)));
    assert.deepEqual(read.map((message) => Buffer.from(message).toString()), ['hello', '', 'world']);
  });

  it('judges a length before it takes memory for it', () => {
    const budget = new ByteBudget(MiB);
    const reader = new MessageReader(1000, new MessageBytes(), budget);
    readAll(reader, [prefix(0, 0xffff_ffff)]);
    assert.deepEqual(reader.fault, { code: 8, details: 'grpc: received message larger than max (4294967295 vs. 1000)' });
    assert.equal(budget.taken, 0);
  });

  it('takes memory as the bytes come, not as they are announced', () => {
    const budget = new ByteBudget(8 * MiB);
    const reader = new MessageReader(4 * MiB, new MessageBytes(), budget);
    readAll(reader, [prefix(0, 4 * MiB)]);
    assert.deepEqual([budget.taken, reader.unfinished], [0, true]);
    readAll(reader, [new Uint8Array(100)]);
    assert.equal(budget.taken, 16 * 1024);
    readAll(reader, [new Uint8Array(100_000)]);
    assert.ok(budget.taken >= 100_100 && budget.taken <= 2 * 100_100);
    reader.reset();
    assert.deepEqual([budget.taken, reader.unfinished], [0, false]);
  });

  it('has a fault when the budget is used up, and takes nothing any more', () => {
    const budget = new ByteBudget(20_000);
    const reader = new MessageReader(MiB, new MessageBytes(), budget);
    readAll(reader, [prefix(0, MiB), new Uint8Array(10_000), new Uint8Array(10_001)]);
    assert.equal(reader.fault?.code, 8);
    assert.deepEqual(readAll(reader, [framed(Buffer.from('more'))]), []);
    reader.reset();
    assert.equal(budget.taken, 0);
  });

  it('tells the flag, and refuses one that is neither 0 nor 1', () => {
    const reader = new MessageReader(100, new MessageBytes(), new ByteBudget(100));
    readAll(reader, [prefix(1, 0)]);
    assert.deepEqual([reader.message?.length, reader.compressed], [0, true]);
    readAll(reader, [prefix(0, 0)]);
    assert.deepEqual([reader.message?.length, reader.compressed], [0, false]);
    readAll(reader, [prefix(2, 0)]);
    assert.deepEqual(reader.fault, { code: 13, details: 'grpc: received unexpected payload format 2' });
  });
});
