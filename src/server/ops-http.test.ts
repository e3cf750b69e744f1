import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { ETCD_MESSAGES, EtcdError } from '../api/etcd-error.js';
import type { MemberInfo } from '../node/store.js';
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
  let metrics: Metrics;

  beforeEach(async () => {
    store = new FakeStore();
    metrics = new Metrics();
    const rpc = new RpcStats();
    rpc.of('/etcdserverpb.KV/Put', 'unary').end(0, 3);
    metrics.attach(store, rpc);
    subject = { store, metrics, health: new Health(), dataDir: tmpdir(), version: '9.9.9' };
    server = opsServer(new OpsPages(subject));
    base = `http://127.0.0.1:${await listenHttp(server, '127.0.0.1', 0)}`;
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
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
    assert.deepEqual(await get('/readyz?exclude=linearizable_read'), [200, 'ok\n'], "etcd's name leaves out ours of the same thing");
    assert.equal((await get('/readyz?exclude=leader'))[0], 503);
  });

  it('livez fails when the disk cannot be written, readyz while draining', async () => {
    subject.dataDir = '/nowhere/at/all';
    const why = "ENOENT: no such file or directory, access '/nowhere/at/all'";
    assert.deepEqual(await get('/livez'), [503, `[+]loop ok\n[-]disk failed: ${why}\n[+]serializable_read ok\n\n`]);
    assert.equal((await get('/readyz'))[0], 200);
    subject.health.setServing(false);
    assert.equal((await get('/readyz'))[0], 503);
  });

  it('livez reads what is here, and does not fail for a member that waits for the others', async () => {
    for (const waits of ['NO_LEADER', 'TIMEOUT', 'TIMEOUT_WAIT_APPLIED'] as const) {
      store.refusal = new EtcdError(waits);
      assert.deepEqual(await get('/livez'), [200, 'ok\n'], waits);
      assert.deepEqual(await get('/readyz/serializable_read'), [503, `[-]serializable_read failed: ${ETCD_MESSAGES[waits]}\n\n`]);
    }
    store.refusal = new EtcdError('UNHEALTHY');
    const failed = '[-]serializable_read failed: etcdserver: unhealthy cluster\n\n';
    assert.deepEqual(await get('/livez'), [503, `[+]loop ok\n[+]disk ok\n${failed}`]);
    assert.deepEqual(await get('/livez/serializable_read'), [503, failed]);
    assert.deepEqual(await get('/livez?exclude=serializable_read'), [200, 'ok\n']);
    assert.deepEqual(await get('/health?serializable=true'), [503, '{"health":"false","reason":"RANGE ERROR:etcdserver: unhealthy cluster"}\n']);
  });

  it('verbose names the checks, ours and those of etcd', async () => {
    assert.deepEqual(await get('/livez?verbose'), [200, '[+]loop ok\n[+]disk ok\n[+]serializable_read ok\nok\n']);
    const names = ['draining', 'leader', 'read_index', 'apply_lag', 'data_corruption', 'serializable_read', 'linearizable_read', 'non_learner'];
    assert.deepEqual(await get('/readyz?verbose'), [200, `${names.map((name) => `[+]${name} ok\n`).join('')}ok\n`]);
    assert.deepEqual(await get('/readyz?exclude=nothing&exclude='), [200, 'ok\n'], 'a name that there is not leaves nothing out');
  });

  it('each check has a page of its own, where nothing is left out', async () => {
    for (const name of ['data_corruption', 'serializable_read', 'linearizable_read', 'non_learner', 'draining', 'leader', 'read_index', 'apply_lag']) {
      assert.deepEqual(await get(`/readyz/${name}`), [200, 'ok\n'], name);
      assert.deepEqual(await get(`/readyz/${name}?verbose`), [200, `[+]${name} ok\nok\n`], name);
    }
    for (const name of ['serializable_read', 'loop', 'disk']) assert.deepEqual(await get(`/livez/${name}`), [200, 'ok\n'], name);
    for (const path of ['/livez/non_learner', '/readyz/nope', '/readyz/constructor', '/readyz/', '/livez/loop/']) assert.equal((await get(path))[0], 404, path);
    store.leader = 0;
    const failed = '[-]linearizable_read failed: etcdserver: no leader\n\n';
    assert.deepEqual(await get('/readyz/linearizable_read?exclude=linearizable_read'), [503, failed]);
    const response = await fetch(`${base}/readyz/linearizable_read`);
    assert.deepEqual(['content-type', 'x-content-type-options'].map((name) => response.headers.get(name)), ['text/plain; charset=utf-8', 'nosniff']);
    await response.text();
  });

  it('a member is not ready while its cluster knows of damaged data, nor as a learner', async () => {
    await store.changeAlarm({ action: 'raise', member: 2, type: 'NOSPACE' });
    assert.equal((await get('/readyz'))[0], 200, 'that one refuses puts alone');
    await store.changeAlarm({ action: 'raise', member: 2, type: 'CORRUPT' });
    assert.deepEqual(await get('/readyz/data_corruption'), [503, '[-]data_corruption failed: alarm activated: CORRUPT\n\n']);
    assert.equal((await get('/readyz'))[0], 503);
    assert.equal((await get('/livez'))[0], 200);
    assert.equal((await get('/readyz?exclude=data_corruption'))[0], 200);
    for (const type of ['NOSPACE', 'CORRUPT'] as const) await store.changeAlarm({ action: 'lower', member: 2, type });
    assert.equal((await get('/readyz'))[0], 200);
    const [self, ...others] = store.members();
    store.members = () => [{ ...self as MemberInfo, isLearner: true }, ...others];
    assert.deepEqual(await get('/readyz/non_learner'), [503, '[-]non_learner failed: not supported for learner\n\n']);
    assert.deepEqual([(await get('/readyz'))[0], (await get('/livez'))[0]], [503, 200]);
  });

  it("health has etcd's shape, and asks for no leader where this member alone is asked", async () => {
    assert.deepEqual(await get('/health'), [200, '{"health":"true","reason":""}\n']);
    store.leader = 0;
    assert.deepEqual(await get('/health'), [503, '{"health":"false","reason":"RAFT NO LEADER"}\n']);
    assert.deepEqual(await get('/health?serializable=true'), [200, '{"health":"true","reason":""}\n']);
    assert.equal((await get('/health?serializable=false'))[0], 503);
    await store.changeAlarm({ action: 'raise', member: 1, type: 'CORRUPT' });
    assert.deepEqual(await get('/health'), [503, '{"health":"false","reason":"ALARM CORRUPT"}\n']);
    assert.deepEqual(await get('/health?serializable=true'), [503, '{"health":"false","reason":"ALARM CORRUPT"}\n']);
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
    for (const path of ['/health', '/readyz?exclude=leader', '/livez/loop']) await get(path);
    store.leader = 0;
    for (const path of ['/health', '/readyz/leader']) await get(path);
    store.leader = store.memberId;
    const [, text] = await get('/metrics');
    for (const line of [
      'etcd_server_has_leader 1', 'etcd_server_is_leader 1', 'etcd_mvcc_db_total_size_in_bytes 100',
      'etcd_debugging_mvcc_watch_stream_total 0', 'etcd_debugging_mvcc_watcher_total 3', 'etcd_debugging_mvcc_slow_watcher_total 2',
      'etcd_server_health_success 1', 'etcd_server_health_failures 1', 'etcd_server_healthcheck{type="readyz",name="leader"} 0',
      'etcd_server_healthchecks_total{type="readyz",name="non_learner",status="success"} 1',
      'etcd_server_healthchecks_total{type="readyz",name="leader",status="error"} 1', 'etcd_server_healthcheck{type="livez",name="loop"} 1',
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
