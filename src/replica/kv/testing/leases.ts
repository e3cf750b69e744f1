/** Holds what the tree says of leases against the model. */

import assert from 'node:assert/strict';
import { SYSTEM_SPACE, type ReadView } from '../../../storage/base/read-view.js';
import { leasesIn, keysOf, type Leases } from '../leases.js';
import { Pace } from '../pace.js';
import type { Oracle } from './oracle.js';
import { bytes } from './requests.js';
import { runToEnd } from './run-to-end.js';

const text = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

export function assertLeases(view: ReadView, leases: Leases, oracle: Oracle): void {
  const found = runToEnd(leasesIn(view, new Pace(1)));
  assert.deepEqual(new Map(found.map(({ id, record }) => [id, { ...record }])), oracle.leases);
  assert.equal(leases.count, found.length);
  let attached = 0;
  for (const { id } of found) {
    const keys = runToEnd(keysOf(view, id, new Pace(1))).map(text);
    assert.deepEqual(keys, oracle.keysOf(id));
    attached += keys.length;
  }
  assert.equal(leases.attached, attached);
  const all = [...view.scan(SYSTEM_SPACE, { from: bytes('leased/'), to: bytes('leased0'), atRevision: Number.MAX_SAFE_INTEGER })];
  assert.equal(all.length, attached, 'no key is attached to a lease that is gone');
}
