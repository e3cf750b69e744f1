/** S2: what members that have settled must agree on, to the byte. */

import assert from 'node:assert/strict';
import { toHex } from '../../base/bytes.js';
import type { Disk } from '../../base/disk.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import { tablePath } from '../../storage/table/table-meta.js';
import type { ClusterNode } from './cluster-node.js';
import { bytesOf } from './files.js';

/** Their manifests are equal, and so is every file that these name. */
export function assertEqualTrees([first, ...others]: readonly ClusterNode<Disk>[]): void {
  if (first === undefined) return;
  const { materialized } = first.replica.tree;
  const manifest = toHex(encodeManifest(materialized));
  for (const other of others) {
    assert.equal(toHex(encodeManifest(other.replica.tree.materialized)), manifest, `S2 manifests of ${first.id} and ${other.id}`);
    for (const { id } of materialized.list()) {
      const path = tablePath(id);
      assert.deepEqual(bytesOf(other.disk, path), bytesOf(first.disk, path), `S2 table ${id} of ${first.id} and ${other.id}`);
    }
  }
}
