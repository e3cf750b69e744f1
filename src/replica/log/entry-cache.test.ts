import assert from 'node:assert/strict';
import { KiB } from '../../base/bytes.js';
import { Watched } from '../../base/testing/garbage.js';
import type { Entry } from '../../raft/types.js';
import { EntryCache } from './entry-cache.js';

const entryAt = (index: number, bytes: number): Entry => ({ term: 1, index, type: 'normal', data: new Uint8Array(bytes) });

describe('entries in memory', () => {
  it('are as many as fit: one that has left is held no more, few and large as they may be', async () => {
    const cache = new EntryCache(1024 * KiB);
    const watched = new Watched();
    for (let index = 1; index <= 100; index++) {
      const entry = entryAt(index, 255 * KiB);
      watched.watch(entry.data);
      cache.push(entry);
    }
    assert.deepEqual([cache.first, await watched.held()], [97, 4]);
    cache.dropThrough(98);
    assert.deepEqual([cache.first, await watched.held()], [99, 2]);
  });

  it('go on after all that were here were dropped', () => {
    const cache = new EntryCache(1024 * KiB);
    for (let index = 1; index <= 3; index++) cache.push(entryAt(index, 10));
    cache.dropThrough(3);
    assert.deepEqual([cache.first, cache.bytes], [Infinity, 0]);
    cache.push(entryAt(4, 10));
    cache.push(entryAt(5, 10));
    assert.deepEqual(cache.slice(4, 6, Infinity).map(({ index }) => index), [4, 5]);
    cache.push(entryAt(4, 20));
    assert.deepEqual([cache.first, cache.slice(4, 5, Infinity)[0]?.data.length], [4, 20]);
  });
});
