import assert from 'node:assert/strict';
import { Metrics } from './metrics.js';
import { RpcStats } from './rpc-stats.js';

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

  it('C1 of each RPC its calls and their times, and never many lines in one turn', async () => {
    const metrics = new Metrics();
    const rpc = new RpcStats();
    const methods = 300;
    for (let n = 0; n < methods; n++) {
      const stats = rpc.of(`/a.Service/Method${n}`, 'unary');
      stats.started = n;
      stats.end(0, 3);
    }
    metrics.countRpcs(rpc);
    let turns = 0;
    const turn = (): void => {
      turns++;
      waiting = setImmediate(turn);
    };
    let waiting = setImmediate(turn);
    const page = await metrics.page().finally(() => clearImmediate(waiting));
    const lines = page.split('\n');
    const labels = 'grpc_type="unary",grpc_service="a.Service",grpc_method="Method7"';
    for (const line of [
      '# TYPE grpc_server_handling_seconds histogram', `grpc_server_started_total{${labels}} 7`, `grpc_server_handled_total{${labels},grpc_code="OK"} 1`,
      `grpc_server_handling_seconds_bucket{${labels},le="0.0025"} 0`, `grpc_server_handling_seconds_bucket{${labels},le="0.005"} 1`,
      `grpc_server_handling_seconds_bucket{${labels},le="+Inf"} 1`, `grpc_server_handling_seconds_sum{${labels}} 0.003`,
      `grpc_server_handling_seconds_count{${labels}} 1`,
    ]) assert.ok(lines.includes(line), line);
    assert.ok(lines.length > 19 * methods && turns >= lines.length / 300, `${lines.length} lines in ${turns} turns`);
  });
});
