import assert from 'node:assert/strict';
import { Tape, TAPE_WIDTH, tapeTime } from './tape.js';

function lines(nodes: number, rows: readonly { readonly atUs: number; readonly node: number; readonly text: string }[]): string[] {
  let out = '';
  const tape = new Tape(nodes, (text) => (out += text));
  for (const row of rows) tape.row(row);
  tape.flush();
  return out.split('\n').slice(0, -1);
}

describe('the tape', () => {
  it('time is in seconds with milliseconds, rounded down', () => {
    assert.equal(tapeTime(12_345_999).trim(), '12.345');
    assert.equal(tapeTime(7_000).trim(), '0.007');
  });

  it('each node has a column of its own, in which its text begins', () => {
    for (const nodes of [3, 5]) {
      const rows = Array.from({ length: nodes + 1 }, (_, node) => ({ atUs: 0, node, text: `x${node}` }));
      const [head = '', ...body] = lines(nodes, rows);
      const at = body.map((line, node) => line.indexOf(`x${node}`));
      assert.deepEqual([...new Set(at)].sort((a, b) => a - b), at);
      at.forEach((column, node) => assert.equal(head.indexOf(node === 0 ? 'world' : `n${node}`), column));
    }
  });

  it('no line is wider than the page, no word is lost, and the last column has room', () => {
    const text = Array.from({ length: 90 }, (_, i) => `word${i}`).join(' ');
    for (const nodes of [3, 5]) {
      for (let node = 0; node <= nodes; node++) {
        const [, ...body] = lines(nodes, [{ atUs: 1, node, text }]);
        for (const line of body) assert.ok(line.length <= TAPE_WIDTH, `${line.length}`);
        assert.deepEqual(body.join(' ').split(/[ ·]+/).filter((word) => word.startsWith('word')).join(' '), text);
        assert.ok(body.length <= 13);
      }
    }
  });

  it('a text of several lines is one row', () => {
    assert.equal(lines(3, [{ atUs: 0, node: 1, text: 'a\n  b' }]).length, 2);
  });
});
