import assert from 'node:assert/strict';
import { ETCD_VERSION } from '../api/etcd-version.js';
import type { Store } from '../node/store.js';
import { Metrics } from '../observability/metrics.js';
import { RpcStats } from '../observability/rpc-stats.js';
import { FakeStore } from './testing/fake-store.js';

describe('metrics of a member', () => {
  it('tell under the names of etcd what the status of the node knows', async () => {
    const metrics = new Metrics();
    const rpc = new RpcStats();
    for (const method of ['Range', 'Put']) Object.assign(rpc.of(`/etcdserverpb.KV/${method}`, 'unary'), { receivedBytes: 10, sentBytes: 7 });
    const status = {
      ...new FakeStore().status(), members: [
        { id: 0x1001, name: 'a', peerUrls: [], clientUrls: [], isLearner: true }, { id: 0x1002, name: 'b', peerUrls: [], clientUrls: [], isLearner: false },
      ],
      links: [{
        peer: 0x1002, url: 'http://b:1', state: 'up', forMs: 1, isHeard: true, failures: 0, patienceMs: 1, queuedBytes: 0, droppedFrames: 3, breaks: 4,
        sentBytes: 5, receivedBytes: 6,
      }] as const,
    };
    const store = { status: () => status, activeAlarms: () => [{ member: 0x1002, type: 'NOSPACE', byItself: false }] } as unknown as Store;
    metrics.attach(store, rpc);
    metrics.emit({ type: 'log-sync', durationMs: 1, bytes: 10, entries: 1 });
    metrics.emit({ type: 'snapshot-received', from: 0x1002, index: 1, fetchedBytes: 1, reusedBytes: 0 });
    const lines = (await metrics.page()).split('\n');
    for (const line of [
      `etcd_server_version{server_version="${ETCD_VERSION}"} 1`, 'etcd_cluster_version{cluster_version="3.7"} 1', 'etcd_server_id{server_id="1001"} 1',
      'etcd_server_is_learner 1', 'etcd_server_snapshot_apply_in_progress_total 0', 'etcd_mvcc_db_total_size_in_use_in_bytes 100',
      'etcd_debugging_mvcc_compact_revision 0', '# TYPE etcd_mvcc_put_total counter', 'etcd_mvcc_range_total 4', 'etcd_mvcc_put_total 3',
      'etcd_mvcc_delete_total 2', 'etcd_mvcc_txn_total 1', 'etcd_debugging_server_alarms{server_id="1002",alarm_type="NOSPACE"} 1',
      'etcd_network_known_peers{Local="1001",Remote="1002"} 1', 'etcd_network_active_peers{Local="1001",Remote="1002"} 1',
      'etcd_network_disconnected_peers_total{Local="1001",Remote="1002"} 4', 'etcd_network_peer_sent_bytes_total{To="1002"} 5',
      'etcd_network_peer_received_bytes_total{From="1002"} 6', 'etcd_network_peer_sent_failures_total{To="1002"} 3',
      'etcd_network_client_grpc_received_bytes_total 20', 'etcd_network_client_grpc_sent_bytes_total 14', 'etcd_disk_wal_write_bytes_total 10',
      'etcd_network_snapshot_receive_success{From="1002"} 1',
    ]) assert.ok(lines.includes(line), line);
    assert.ok(!lines.some((line) => line.startsWith('etcd_server_quota_backend_bytes ')), 'an alert that divides by it would be true for ever');
    Object.assign(status, { quotaBytes: 1_000 });
    assert.ok((await metrics.page()).split('\n').includes('etcd_server_quota_backend_bytes 1000'));
  });
});
