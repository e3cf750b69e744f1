import assert from 'node:assert/strict';
import { ResetMemory } from './reset-memory.js';

describe('streams that were reset', () => {
  it('are remembered until they end, the oldest forgotten first beyond 256', () => {
    const memory = new ResetMemory();
    for (let id = 1; id <= 2 * 300; id += 2) memory.add(id);
    const known = Array.from({ length: 300 }, (_, i) => 2 * i + 1).filter((id) => memory.has(id));
    assert.deepEqual([known.length, known[0]], [256, 2 * 44 + 1]);
    memory.forget(599);
    assert.ok(!memory.has(599) && memory.has(597));
  });
});
