import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { Metrics } from '../observability/metrics.js';
import { RpcStats } from '../observability/rpc-stats.js';
import { listenHttp, OpsPages, opsServer, type OpsSubject } from './ops-http.js';
import { Health } from './rpc/health-service.js';
import { FakeStore } from './testing/fake-store.js';

describe('ops HTTP', () => {
  let store: FakeStore;
  let server: Server;
  let base: string;
  let subject: { -readonly [K in keyof OpsSubject]: OpsSubject[K] };
  const metrics = new Metrics();

  before(async () => {
    store = new FakeStore();
    const rpc = new RpcStats();
    rpc.of('/etcdserverpb.KV/Put', 'unary').end(0, 3);
    metrics.attach(store, rpc);
    subject = { store, metrics, health: new Health(), dataDir: tmpdir(), version: '9.9.9' };
    server = opsServer(new OpsPages(subject));
    base = `http://127.0.0.1:${await listenHttp(server, '127.0.0.1', 0)}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  beforeEach(() => {
    store.leader = store.memberId;
    subject.dataDir = tmpdir();
    subject.health.setServing(true);
  });

  async function get(path: string): Promise<[number, string]> {
    const response = await fetch(base + path);
    return [response.status, await response.text()];
  }

  it('livez does not hang on the other members, readyz does', async () => {
    store.leader = 0;
    assert.deepEqual(await get('/livez'), [200, 'ok\n']);
    const [status, text] = await get('/readyz');
    assert.equal(status, 503);
    assert.match(text, /^\[\+\]draining ok\n\[-\]leader failed: no leader is known\n\[-\]read_index failed: /);
    assert.deepEqual(await get('/readyz?exclude=leader&exclude=read_index'), [200, 'ok\n']);
  });

  it('livez fails when the disk cannot be written, readyz while draining', async () => {
    subject.dataDir = '/nowhere/at/all';
    const why = "ENOENT: no such file or directory, access '/nowhere/at/all'";
    assert.deepEqual(await get('/livez'), [503, `[+]loop ok\n[-]disk failed: ${why}\nnot ok\n`]);
    assert.equal((await get('/readyz'))[0], 200);
    subject.health.setServing(false);
    assert.equal((await get('/readyz'))[0], 503);
  });

  it('verbose names the checks', async () => {
    assert.deepEqual(await get('/readyz?verbose'), [200, '[+]draining ok\n[+]leader ok\n[+]read_index ok\n[+]apply_lag ok\nok\n']);
  });

  it("health has etcd's shape", async () => {
    assert.deepEqual(await get('/health'), [200, '{"health":"true","reason":""}\n']);
    store.leader = 0;
    assert.deepEqual(await get('/health'), [503, '{"health":"false","reason":"RAFT NO LEADER"}\n']);
    await store.changeAlarm({ action: 'raise', member: 1, type: 'CORRUPT' });
    assert.deepEqual(await get('/health'), [503, '{"health":"false","reason":"ALARM CORRUPT"}\n']);
    assert.deepEqual(await get('/health?exclude=CORRUPT'), [503, '{"health":"false","reason":"RAFT NO LEADER"}\n']);
  });

  it('status is the JSON of the node, also without a leader', async () => {
    store.leader = 0;
    const [status, text] = await get('/status');
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(store.status())));
  });

  it('metrics have the names that alerts look at', async () => {
    metrics.emit({ type: 'block-corrected', table: 1, offset: 0, scheme: 'rs(8,2)', persistent: true });
    metrics.emit({ type: 'log-sync', durationMs: 1, bytes: 10, entries: 1 });
    const [, text] = await get('/metrics');
    for (const line of [
      'etcd_server_has_leader 1', 'etcd_server_is_leader 1', 'etcd_mvcc_db_total_size_in_bytes 100',
      'etcd_debugging_mvcc_watch_stream_total 0', 'etcd_debugging_mvcc_watcher_total 3', 'etcd_debugging_mvcc_slow_watcher_total 2',
      'kintsugi_heal_blocks_corrected_total{scheme="rs(8,2)"} 1', 'kintsugi_heal_tables_pending 1',
      'kintsugi_lsm_level_bytes{level="0"} 100', 'etcd_disk_wal_fsync_duration_seconds_count 1',
      'grpc_server_handled_total{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Put",grpc_code="OK"} 1',
      'grpc_server_handling_seconds_bucket{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Put",le="0.005"} 1',
      'grpc_server_handling_seconds_count{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Put"} 1',
    ]) assert.ok(text.includes(line), line);
  });

  it('version, unknown pages and other methods', async () => {
    assert.deepEqual(await get('/version'), [200, '{"etcdserver":"3.7.0","etcdcluster":"3.7.0","storage":"2","kintsugi":"9.9.9"}\n']);
    assert.equal((await get('/constructor'))[0], 404);
    assert.equal((await get('//'))[0], 404, 'not a URL with an empty host');
    const posted = await fetch(`${base}/livez`, { method: 'POST' });
    assert.deepEqual([posted.status, posted.headers.get('allow'), await posted.text()], [405, 'GET, HEAD', 'Method Not Allowed\n']);
    const metrics = await fetch(`${base}/metrics`, { method: 'POST' });
    assert.deepEqual([metrics.status, (await metrics.text()).includes('etcd_server_has_leader 1')], [200, true], "etcd's answers any method");
  });
});
