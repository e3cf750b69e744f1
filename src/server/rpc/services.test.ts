import assert from 'node:assert/strict';
import { Client, credentials, Metadata, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import { decodeRangeResponse } from '../../api/wire/decode-response.js';
import { serviceMethods } from '../../api/protos/protos.js';
import { AssertionError } from '../../base/assert.js';
import { CodecError } from '../../base/errors.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { ETCD_MESSAGES, EtcdError, type EtcdErrorCode } from '../../api/etcd-error.js';
import { FakeStore } from '../testing/fake-store.js';
import { clientPort } from './client-server.js';
import type { ClientPort } from '../transport/client-port.js';
import { listenAddress } from '../transport/listen-address.js';
import { silent } from '../../base/testing/silent.js';
import { Health } from './health-service.js';
import { clientMethods } from './services.js';
import { RpcError } from '../../grpc/status.js';
import { ETCD_STATUS, statusOf } from './status.js';

interface Refusal {
  readonly code: number;
  readonly details: string;
}

describe('client services over loopback', () => {
  let store: FakeStore;
  let health: Health;
  let server: ClientPort;
  let client: Client;
  let stats: RpcStats;
  let port: number;

  beforeEach(async () => {
    store = new FakeStore();
    health = new Health();
    stats = new RpcStats();
    server = clientPort(clientMethods(store, health, { maxRequestBytes: 1_572_864 }), {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 0xffff_ffff, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store, stats, events: silent,
    });
    port = await server.listen(listenAddress('http://127.0.0.1:0'));
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  });

  afterEach(async () => {
    client.close();
    await server.drain(100);
  });

  function call(service: string, name: string, request: object, metadata = new Metadata()): Promise<Record<string, unknown>> {
    const method = serviceMethods(service)[name];
    assert.ok(method);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        method.path, method.requestSerialize, method.responseDeserialize as (b: Buffer) => Record<string, unknown>, request,
        metadata, (error, response) => (error === null ? resolve(response ?? {}) : reject(error)));
    });
  }
  const kv = (name: string, request: object): Promise<Record<string, unknown>> => call('etcdserverpb.KV', name, request);

  function raw(path: string, request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, (b: Buffer) => b, (b: Buffer) => b, request,
        (error, response) => (error === null ? resolve(response ?? Buffer.alloc(0)) : reject(error)));
    });
  }

  async function refused(promise: Promise<unknown>, code: number, details: string): Promise<void> {
    await assert.rejects(promise, (error: ServiceError) => {
      assert.deepEqual([error.code, error.details], [code, details]);
      return true;
    });
  }

  it('KV answers with filled headers', async () => {
    const put = await kv('Put', { key: Buffer.from('k'), value: Buffer.from('v'), prev_kv: true });
    assert.deepEqual(put, { header: { cluster_id: '193', member_id: '4097', revision: '2', raft_term: '3' }, prev_kv: null });
    const range = await kv('Range', { key: Buffer.from('k') });
    assert.deepEqual(range['kvs'], [{
      key: Buffer.from('k'), create_revision: '2', mod_revision: '2', version: '1', value: Buffer.from('v'), lease: '0',
    }]);
    assert.equal(range['count'], '1');
    const del = await kv('DeleteRange', { key: Buffer.from('k') });
    assert.equal(del['deleted'], '1');
    await kv('Compact', { revision: '3' });
    await refused(kv('Range', { key: Buffer.from('k'), revision: '2' }), 11, ETCD_MESSAGES.COMPACTED);
    await refused(kv('Compact', { revision: '99' }), 11, ETCD_MESSAGES.FUTURE_REVISION);
  });

  it("npm etcd3 puts, gets, deletes and runs txns unmodified", async () => {
    const etcd = new Etcd3({ hosts: `http://127.0.0.1:${port}` });
    try {
      await etcd.put('a').value('1');
      await etcd.put('b').value('2');
      assert.equal(await etcd.get('a').string(), '1');
      assert.equal(await etcd.get('none').string(), null);
      assert.deepEqual(await etcd.getAll().strings(), { a: '1', b: '2' });
      assert.deepEqual(await etcd.getAll().prefix('b').keys(), ['b']);
      const won = await etcd.if('a', 'Value', '==', '1').then(etcd.put('a').value('3')).else(etcd.get('a')).commit();
      assert.equal(won.succeeded, true);
      const lost = await etcd.if('a', 'Version', '>', 7).then(etcd.put('a').value('4')).else(etcd.get('a')).commit();
      assert.equal(lost.succeeded, false);
      assert.equal(lost.responses[0]?.response_range?.kvs[0]?.value.toString(), '3');
      const gone = await etcd.delete().all().exec();
      assert.equal(gone.deleted, '2');
    } finally {
      etcd.close();
    }
  });

  it('a request above --max-request-bytes and one above the receive limit are refused as etcd refuses them', async () => {
    await refused(kv('Put', { key: Buffer.from('k'), value: Buffer.alloc(1_572_864) }), 3, 'etcdserver: request is too large');
    const request = { key: Buffer.from('k'), value: Buffer.alloc(2_097_152) };
    await refused(kv('Put', request), 8, 'grpc: received message larger than max (2097160 vs. 2097152)');
    assert.equal(store.status().revision, 1, 'nothing was changed');
  });

  it('an answer may be larger than any request', async () => {
    for (let i = 0; i < 6; i++) await kv('Put', { key: Buffer.from([i + 1]), value: Buffer.alloc(1_500_000, i) });
    const all = decodeRangeResponse(await raw('/etcdserverpb.KV/Range', Buffer.from([10, 1, 0, 18, 1, 0])));
    assert.equal(all.kvs.length, 6);
    assert.equal(all.kvs[5]?.value[77], 5);
  });

  it('unknown methods and services answer as etcd does', async () => {
    await refused(raw('/etcdserverpb.KV/Nope', Buffer.alloc(0)), 12, 'unknown method Nope for service etcdserverpb.KV');
    await refused(raw('/no.such.Service/X', Buffer.alloc(0)), 12, 'unknown service no.such.Service');
  });

  it('Hash and HashKV tell what was hashed, and refuse what is yet to come', async () => {
    await kv('Put', { key: Buffer.from('k'), value: Buffer.from('v') });
    assert.equal((await call('etcdserverpb.Maintenance', 'Hash', {}))['hash'], 7);
    const told = await call('etcdserverpb.Maintenance', 'HashKV', { revision: '1' });
    assert.deepEqual([told['hash'], told['compact_revision'], told['hash_revision']], [7, '-1', '1']);
    await refused(call('etcdserverpb.Maintenance', 'HashKV', { revision: '99' }), 11, 'etcdserver: mvcc: required revision is a future revision');
  });

  it('hasleader is refused without a leader and everything else is served', async () => {
    const requireLeader = new Metadata();
    requireLeader.set('hasleader', 'true');
    const get = (): Promise<unknown> => call('etcdserverpb.KV', 'Range', { key: Buffer.from('k') }, requireLeader);
    await get();
    store.leader = 0;
    await refused(get(), 14, 'etcdserver: no leader');
    await kv('Range', { key: Buffer.from('k') });
    const status = await call('etcdserverpb.Maintenance', 'Status', {});
    assert.deepEqual([status['leader'], status['errors']], ['0', ['etcdserver: no leader']]);
  });

  it('Status, MemberList, Alarm, Defragment and MoveLeader have the fields clients read', async () => {
    const status = await call('etcdserverpb.Maintenance', 'Status', {});
    assert.match(String(status['version']), /^3\.\d+\.\d+$/);
    assert.deepEqual(
      [status['leader'], status['raftIndex'], status['raftTerm'], status['raftAppliedIndex'], status['dbSize'], status['isLearner']],
      ['4097', '10', '3', '10', '100', false]);
    const list = await call('etcdserverpb.Cluster', 'MemberList', {});
    assert.deepEqual((list['members'] as object[])[0],
      { ID: '4097', name: 'a', peerURLs: ['http://127.0.0.1:1'], clientURLs: ['http://127.0.0.1:2'], isLearner: false });
    const { member, members } = await call('etcdserverpb.Cluster', 'MemberAdd', { peerURLs: ['http://h:9/'], isLearner: true });
    assert.deepEqual(member, { ID: '4099', name: '', peerURLs: ['http://h:9'], clientURLs: [], isLearner: true });
    assert.equal((members as object[]).length, 3);
    for (const peerURLs of [[], ['h:9'], ['ftp://h:9'], ['http://h:9/path'], ['http://h:9', 'http://h:9']]) {
      await refused(call('etcdserverpb.Cluster', 'MemberAdd', { peerURLs }), 3, 'etcdserver: given member URLs are invalid');
    }
    await refused(call('etcdserverpb.Cluster', 'MemberRemove', { ID: '18446744073709551615' }), 5, 'etcdserver: member not found');
    await call('kintsugi.v1.Members', 'Replace', { promoted: '4099', removed: '4098' });
    await call('etcdserverpb.Maintenance', 'Defragment', {});
    await refused(call('etcdserverpb.Maintenance', 'MoveLeader', { targetID: '9' }), 9, 'etcdserver: bad leader transferee');
    await call('etcdserverpb.Maintenance', 'MoveLeader', { targetID: String(0x1002) });
    await refused(call('etcdserverpb.Maintenance', 'MoveLeader', { targetID: '9' }), 9, 'etcdserver: not leader');
  });

  it('Alarm lists, raises and takes back as etcd does', async () => {
    const alarm = async (request: object): Promise<unknown> => {
      const { header, alarms } = await call('etcdserverpb.Maintenance', 'Alarm', request);
      assert.equal((header as Record<string, unknown>)['member_id'], '4097');
      return alarms;
    };
    const nospace = { memberID: '9', alarm: 'NOSPACE' };
    assert.deepEqual(await alarm({}), []);
    assert.deepEqual(await alarm({ action: 'ACTIVATE', memberID: '9', alarm: 'NONE' }), []);
    assert.deepEqual(await alarm({ action: 'ACTIVATE', ...nospace }), [nospace]);
    assert.deepEqual(await alarm({ action: 'GET' }), [nospace]);
    assert.deepEqual(await alarm({ action: 'GET', alarm: 'CORRUPT' }), []);
    assert.deepEqual(await alarm({ action: 'DEACTIVATE', memberID: '8', alarm: 'NOSPACE' }), []);
    assert.deepEqual(await alarm({ action: 'DEACTIVATE', ...nospace }), [nospace]);
    assert.deepEqual(await alarm({}), []);
  });

  it('Downgrade takes a version of the cluster, as it is or as etcd writes it, and nothing else', async () => {
    const downgrade = (action: string, version: string): Promise<unknown> => call('etcdserverpb.Maintenance', 'Downgrade', { action, version });
    for (const version of ['', 'one', '1.', '1.0.0.0', '-1']) {
      await refused(downgrade('VALIDATE', version), 3, 'etcdserver: wrong downgrade target version format');
    }
    for (const version of ['9', '9.9.0', '1.0.1']) await refused(downgrade('VALIDATE', version), 3, 'etcdserver: invalid downgrade target version');
    for (const version of ['1', '1.0', '1.0.0']) assert.equal((await downgrade('VALIDATE', version) as { version: string }).version, '2');
    assert.equal((await downgrade('ENABLE', '1.0.0') as { version: string }).version, '1');
    await refused(downgrade('ENABLE', '1.0.0'), 9, 'etcdserver: cluster has a downgrade job in progress');
    assert.equal((await downgrade('CANCEL', '') as { version: string }).version, '2');
  });

  it('health answers for the server and for each service, and follows the drain', async () => {
    assert.deepEqual(await call('grpc.health.v1.Health', 'Check', {}), { status: 'SERVING' });
    assert.deepEqual(await call('grpc.health.v1.Health', 'Check', { service: 'etcdserverpb.KV' }), { status: 'SERVING' });
    await refused(call('grpc.health.v1.Health', 'Check', { service: 'x' }), 5, 'unknown service');
    const method = serviceMethods('grpc.health.v1.Health')['Watch'];
    assert.ok(method);
    const stream = client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, {});
    const seen: unknown[] = [];
    for await (const message of stream) {
      seen.push((message as { status: string }).status);
      if (seen.length === 2) break;
      health.setServing(false);
    }
    assert.deepEqual(seen, ['SERVING', 'NOT_SERVING']);
  });

  it('Heal gives status, hints, tables and a scrub that reports progress', async () => {
    const status = await call('kintsugi.v1.Heal', 'Status', {});
    assert.equal((status['counters'] as Record<string, string>)['corrected_blocks'], '1');
    const { hints } = await call('kintsugi.v1.Heal', 'Hints', {});
    assert.deepEqual(hints, [{ table_id: '7', kind: 'corrected', node: '4098', state: 'pending', offsets: ['4096'], all: false }]);
    const { tables } = await call('kintsugi.v1.Heal', 'Verify', {});
    assert.deepEqual(tables, [{ id: '7', level: 0, bytes: '100', digest: 'ab' }]);
    const method = serviceMethods('kintsugi.v1.Heal')['Scrub'];
    assert.ok(method);
    const seen: Record<string, unknown>[] = [];
    const stream = client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, {});
    for await (const message of stream) seen.push(message as Record<string, unknown>);
    assert.deepEqual(seen.map((m) => [m['scanned_bytes'], m['done'], m['blocks']]), [['50', false, '0'], ['100', true, '4']]);
  });

  function backupStream(service: string, name: string, request: object): ClientReadableStream<object> {
    const method = serviceMethods(service)[name];
    assert.ok(method);
    return client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, request);
  }

  it('a backup comes as blobs with what remains, and the digest last, as of etcd', async () => {
    const seen: Record<string, unknown>[] = [];
    for await (const message of backupStream('etcdserverpb.Maintenance', 'Snapshot', {})) seen.push(message as Record<string, unknown>);
    assert.deepEqual(seen.map((m) => [(m['blob'] as Buffer).length, m['remaining_bytes']]), [[65_536, '65536'], [65_536, '0'], [32, '0']]);
    for await (const message of backupStream('kintsugi.v1.Backup', 'Save', { held: ['a-1.1.1.1', 'b'] })) seen.push(message as Record<string, unknown>);
    assert.equal(seen.length, 6);
    assert.deepEqual(store.backups.held, ['a-1.1.1.1', 'b']);
  });

  it('S5 a client that leaves a backup, or takes nothing of it, makes the member send no more; left, it is let go', async () => {
    store.backups.pieces = 1_000_000;
    const stream = backupStream('etcdserverpb.Maintenance', 'Snapshot', {});
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.once('data', resolve));
    stream.pause();
    let before = -1;
    while (store.backups.sent > before) {
      before = store.backups.sent;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(before < 2_000, `${before} pieces were made for a reader that takes none`);
    stream.cancel();
    await store.backups.over.promise;
  });

  it('reflection lists the services that are declared', async () => {
    const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    const stream = client.makeBidiStreamRequest(path, (b: Buffer) => b, (b: Buffer) => b);
    stream.write(Buffer.from([0x3a, 0]));
    const [first] = await new Promise<Buffer[]>((resolve, reject) => {
      stream.on('data', (b: Buffer) => resolve([b])).on('error', reject);
    });
    stream.end();
    const text = first?.toString('latin1') ?? '';
    for (const name of ['etcdserverpb.KV', 'etcdserverpb.Watch', 'etcdserverpb.Auth', 'kintsugi.v1.Heal', 'kintsugi.v1.Backup', 'grpc.health.v1.Health']) {
      assert.ok(text.includes(name), name);
    }
  });

  it('a request that does not parse changes nothing and is INTERNAL, as in Go', async () => {
    await refused(raw('/etcdserverpb.KV/Put', Buffer.from([10, 99])), 13, 'grpc: error unmarshalling request: unexpected EOF');
  });

  it('calls are counted by method and code', async () => {
    await kv('Range', { key: Buffer.from('k') });
    await kv('Range', {}).catch(() => undefined);
    const handled = stats.handled().map((s) => [s.labels['grpc_method'], s.labels['grpc_code'], s.value]);
    assert.deepEqual(handled, [['Range', 'OK', 1], ['Range', 'InvalidArgument', 1]]);
  });
});

describe('error table', () => {
  it('has a status for every refusal and sends its exact message', () => {
    for (const code of Object.keys(ETCD_MESSAGES) as EtcdErrorCode[]) {
      const status: Refusal = statusOf(new EtcdError(code));
      assert.deepEqual(status, { code: ETCD_STATUS[code], details: ETCD_MESSAGES[code] });
    }
  });

  it('everything else has a status too', () => {
    assert.deepEqual(statusOf(new RpcError(5, 'x')).code, 5);
    assert.deepEqual(statusOf(new CodecError('bad')), { code: 13, details: 'grpc: error unmarshalling request: bad' });
    assert.equal(statusOf(new Error('what')).code, 2);
  });

  it('a broken invariant goes on to stop the process', async () => {
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    try {
      const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
      const error = new AssertionError('R3');
      assert.equal(statusOf(error).code, 14);
      assert.equal(await thrown, error);
    } finally {
      for (const listener of before) process.on('uncaughtException', listener);
    }
  });
});
