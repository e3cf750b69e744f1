import assert from 'node:assert/strict';
import { rowsOf } from './screen.js';

describe('the live page of the demo', () => {
  it('counts rows of the terminal, so that a line that wraps does not leave a copy of the page behind', () => {
    assert.equal(rowsOf('a\n\nb\n', 80), 3);
    assert.equal(rowsOf(`${'x'.repeat(80)}\n`, 80), 1);
    assert.equal(rowsOf(`${'x'.repeat(81)}\n${'y'.repeat(161)}\n`, 80), 5);
  });
});
