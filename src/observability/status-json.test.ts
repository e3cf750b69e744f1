import assert from 'node:assert/strict';
import { jsonPieces, toJson } from './status-json.js';

describe('the JSON of a status in pieces', () => {
  it('is the JSON of the whole', () => {
    for (const value of [
      {}, [], null, 1, 'x', 7n,
      { a: undefined, b: { c: [], d: [1n], e: {} }, 'f"g': null },
      { manifest: { tables: Array.from({ length: 1_000 }, (_, id) => ({ id, bytes: BigInt(id) })) }, hints: new Array(128).fill('x'), last: true },
    ]) assert.equal([...jsonPieces(value)].join(''), toJson(value));
  });

  it('has no piece that grows with the tables', () => {
    const tables = Array.from({ length: 12_000 }, (_, id) => ({ id, level: 3, bytes: 1 << 21, digest: 'd'.repeat(32) }));
    const longest = Math.max(...[...jsonPieces({ manifest: { tables } })].map((piece) => piece.length));
    assert.ok(longest < 128 * 100, `${longest} characters`);
  });
});
