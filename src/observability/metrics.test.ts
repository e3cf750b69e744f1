import assert from 'node:assert/strict';
import { Metrics } from './metrics.js';

describe('metrics', () => {
  it('count leases under the names that etcd has for them', async () => {
    const metrics = new Metrics();
    metrics.emit({ type: 'leases-changed', granted: 3, revoked: 1 });
    metrics.emit({ type: 'leases-changed', granted: 0, revoked: 1 });
    metrics.emit({ type: 'leases-renewed', count: 5 });
    metrics.emit({ type: 'leases-expired', count: 2 });
    const page = await metrics.page();
    for (const line of [
      'etcd_debugging_lease_granted_total 3', 'etcd_debugging_lease_revoked_total 2', 'etcd_debugging_lease_renewed_total 5',
      'etcd_debugging_server_lease_expired_total 2',
    ]) assert.ok(page.split('\n').includes(line), line);
  });
});
