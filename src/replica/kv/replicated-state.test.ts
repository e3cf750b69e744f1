import assert from 'node:assert/strict';
import type { Tree } from '../../storage/tree/tree.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { ReplicatedState } from './replicated-state.js';
import { MemoryTree } from './testing/memory-tree.js';

describe('what applying the log has led to', () => {
  it('S1 the settings of the first bootstrap entry are the cluster\'s, whatever a later one says', () => {
    const state = new ReplicatedState(new MemoryTree() as unknown as Tree);
    assert.equal(state.settings, undefined);
    const first = { ...DEFAULT_TREE_SETTINGS, memtableBytes: 12_345 };
    state.bootstrap(first);
    // A leader of a later term that had not applied the first one yet.
    state.bootstrap({ ...DEFAULT_TREE_SETTINGS, level0Tables: 9 });
    assert.deepEqual(state.settings, first);
  });
});
