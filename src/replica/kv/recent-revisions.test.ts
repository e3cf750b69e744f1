import { strict as assert } from 'node:assert';
import { USER_SPACE, type TreeWrite } from '../../storage/base/read-view.js';
import { RecentRevisions } from './recent-revisions.js';
import { bytes } from './testing/requests.js';

function write(revision: number, size = 1): TreeWrite {
  return { space: USER_SPACE, key: bytes('k'), revision, sub: 0, tombstone: false, liveDelta: 0, value: new Uint8Array(size) };
}

describe('RecentRevisions', () => {
  it('keeps the newest revisions within its bound, and only while somebody reads', () => {
    const recent = new RecentRevisions(10_000);
    recent.published(2, [write(2)]);
    assert.deepEqual([recent.newest, recent.first, recent.at(2)], [2, 3, undefined]);
    recent.keep(true);
    for (let revision = 3; revision <= 4_000; revision++) recent.published(revision, [write(revision)]);
    assert.equal(recent.newest, 4_000);
    assert(recent.bytes <= 10_000 && recent.first > 3_900);
    for (let revision = recent.first; revision <= 4_000; revision++) {
      assert.equal(recent.at(revision)?.revision, revision);
      assert.equal(recent.at(revision)?.changes?.[0]?.revision, revision);
    }
    assert.equal(recent.at(recent.first - 1), undefined);
    assert.equal(recent.at(4_001), undefined);
    recent.keep(false);
    assert.deepEqual([recent.first, recent.bytes], [4_001, 0]);
  });

  it('S2 has no gap over a state that is loaded, and takes nothing for new that was published before', () => {
    const recent = new RecentRevisions();
    recent.keep(true);
    let told = 0;
    recent.subscribe(() => (told += 1));
    recent.published(2, [write(2)]);
    recent.published(3, undefined);
    recent.loaded(1);
    recent.published(2, [write(2, 9)]);
    assert.deepEqual([recent.first, recent.newest, told], [2, 3, 2]);
    assert.equal(recent.at(2)?.changes?.[0]?.record.length, 1);
    assert.equal(recent.at(3)?.changes, undefined);
    recent.loaded(10);
    assert.deepEqual([recent.first, recent.newest, told], [11, 10, 3]);
    recent.published(11, [write(11)]);
    assert.equal(recent.at(11)?.revision, 11);
    assert.throws(() => recent.published(13, []), /S2/);
  });

  it('holds keys of its own: an entry of the log is not kept by its key', () => {
    const recent = new RecentRevisions();
    recent.keep(true);
    const batch = new Uint8Array(1 << 20);
    recent.published(2, [{ ...write(2), key: batch.subarray(0, 8) }]);
    assert.equal(recent.at(2)?.changes?.[0]?.key.buffer.byteLength, 8);
  });
});
