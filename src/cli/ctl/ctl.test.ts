import assert from 'node:assert/strict';
import { RpcStats } from '../../observability/rpc-stats.js';
import { clientPort } from '../../server/rpc/client-server.js';
import type { ClientPort } from '../../server/transport/client-port.js';
import { listenAddress } from '../../server/transport/listen-address.js';
import { silent } from '../../base/testing/silent.js';
import { Health } from '../../server/rpc/health-service.js';
import { clientMethods } from '../../server/rpc/services.js';
import { FakeStore } from '../../server/testing/fake-store.js';
import { FakeIo } from '../testing/fake-io.js';
import { ctl } from './ctl.js';
import { judge, type MemberView } from './status-command.js';

describe('kintsugi ctl', () => {
  let store: FakeStore;
  let server: ClientPort;
  let endpoint: string;

  beforeEach(async () => {
    store = new FakeStore();
    server = clientPort(clientMethods(store, new Health(), { maxRequestBytes: 1_572_864 }), {
      maxReceiveBytes: 2_097_152, maxConcurrentStreams: 1000, keepaliveIntervalMs: 0, keepaliveTimeoutMs: 20_000,
      store: { hasLeader: true }, stats: new RpcStats(), events: silent,
    });
    endpoint = `127.0.0.1:${await server.listen(listenAddress('http://127.0.0.1:0'))}`;
  });

  afterEach(() => server.drain(100));

  async function run(args: readonly string[], stdin = ''): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const io = new FakeIo({ KINTSUGI_ENDPOINTS: endpoint, ETCDCTL_ENDPOINTS: '127.0.0.1:1' }, stdin);
    const code = await ctl(args, io);
    return { code, out: io.text, err: io.errors };
  }

  it('put, get and del print what etcdctl prints', async () => {
    assert.deepEqual(await run(['put', 'a', '1']), { code: 0, out: 'OK\n', err: '' });
    assert.equal((await run(['put', 'a', '--prev-kv'], '2')).out, 'OK\na\n1\n');
    assert.equal((await run(['get', 'a'])).out, 'a\n2\n');
    assert.equal((await run(['get', 'a', '--hex'])).out, '\\x61\n\\x32\n');
    assert.equal((await run(['get', '--prefix=true', '', '--keys-only'])).out, 'a\n\n');
    assert.equal((await run(['get', '', '--from-key', '--count-only'])).out, '1\n');
    for (const flags of [[], ['-w=json'], ['-w=fields'], ['--count-only'], ['--print-value-only'], ['--keys-only'], ['--limit=1']]) {
      const args = ['get', '', '--prefix', ...flags];
      assert.deepEqual(await run([...args, '--stream']), await run(args), args.join(' '));
    }
    assert.equal((await run(['get', '', '--prefix', '--stream', '--order=DESCEND'])).code, 1);
    assert.equal((await run(['get', 'a', '-w=json'])).out,
      '{"header":{"cluster_id":193,"member_id":4097,"revision":3,"raft_term":3},"kvs":[{"key":"YQ==","create_revision":2,"mod_revision":3,"version":2,"value":"Mg=="}],"count":1}\n');
    assert.equal((await run(['del', 'a', '--prev-kv'])).out, '1\na\n2\n');
    assert.equal((await run(['compaction', '3'])).out, 'compacted revision 3\n');
  });

  it('txn reads its three parts from standard input and refuses a text that ends too early', async () => {
    await run(['put', 'a', '1']);
    assert.equal((await run(['txn'], 'val("a") = "1"\nver("a") > "0"\n\nput b "two words"\nget a\n\nput b no\n\n')).out, 'SUCCESS\n\nOK\n\na\n1\n');
    assert.equal((await run(['get', 'b', '--print-value-only'])).out, 'two words\n');
    assert.equal((await run(['txn'], 'mod("a") = "1"\n\n\ndel a\n\n')).out, 'FAILURE\n\n1\n');
    const before = store.status().revision;
    const cut = await run(['txn'], '\nput c 1\n');
    assert.deepEqual([cut.code, store.status().revision], [2, before]);
    assert.match(cut.err, /ended within the success part/);
    assert.equal((await run(['txn'], 'bad\n\n\n\n')).code, 2);
  });

  it('wrong usage is exit code 2 and changes nothing', async () => {
    const wrong = [
      [], ['nope'], ['get'], ['get', 'a', 'b', '--prefix'], ['get', 'a', '--nope'], ['get', 'a', '--limit=x'], ['-w', 'xml', 'get', 'a'], ['put'],
      ['get', 'a', '--order=up'], ['get', 'a', '--prefix', '--from-key'], ['--endpoints=ftp://x:1', 'get', 'a'], ['--cert=x', 'get', 'a'], ['endpoint'],
      ['move-leader', 'zz'], ['--command-timeout=5', 'get', 'a'], ['get', 'a', '-w', 'table'], ['put', 'a', 'b', '--lease=zz'],
    ];
    for (const args of wrong) {
      const { code, err } = await run(args);
      assert.deepEqual([args.join(' '), code], [args.join(' '), 2]);
      assert.match(err, /^Error: /, args.join(' '));
    }
    assert.equal(store.status().revision, 1);
  });

  it("a failure is exit code 1: etcd's words, who was asked, and what to do", async () => {
    const { code, err } = await run(['get', 'a', '--rev', '99']);
    assert.equal(code, 1);
    assert.match(err, /^Error: etcdserver: mvcc: required revision is a future revision\n {2}asked: 127\.0\.0\.1:\d+\n {2}try: {3}\S/);
    const gone = await run(['--endpoints=127.0.0.1:1', '--command-timeout=300ms', 'put', 'a', 'b']);
    assert.equal(gone.code, 1);
    assert.match(gone.err, /ECONNREFUSED 127\.0\.0\.1:1[\s\S]*is the member running/);
  });

  it('endpoint, member and move-leader speak of members in hex', async () => {
    assert.equal((await run(['member', 'list'])).out,
      '1001, started, a, http://127.0.0.1:1, http://127.0.0.1:2, false\n1002, started, b, http://127.0.0.1:3, , false\n');
    assert.equal((await run(['endpoint', 'status'])).out, `${endpoint}, 1001, 3.7.0, 100 B, true, false, 3, 10, 10, \n`);
    assert.match((await run(['endpoint', 'health'])).err, /is healthy: successfully committed proposal: took = /);
    assert.equal((await run(['move-leader', '1002'])).out, 'Leadership transferred from 1001 to 1002\n');
    assert.match((await run(['move-leader', '1001'])).err, /no leader endpoint given/);
  });

  it('member add, promote, update and remove print what etcdctl 3.4 prints', async () => {
    const added = await run(['member', 'add', 'c', '--peer-urls=http://127.0.0.1:9', '--learner']);
    assert.equal(added.out, 'Member             1003 added to cluster               c1\n\nETCD_NAME="c"\n' +
      'ETCD_INITIAL_CLUSTER="a=http://127.0.0.1:1,b=http://127.0.0.1:3,c=http://127.0.0.1:9"\n' +
      'ETCD_INITIAL_ADVERTISE_PEER_URLS="http://127.0.0.1:9"\nETCD_INITIAL_CLUSTER_STATE="existing"\n');
    assert.equal((await run(['member', 'promote', '1002'])).out, 'Member             1002 promoted in cluster               c1\n');
    assert.equal((await run(['member', 'update', '1002', '--peer-urls=http://h:1'])).out, 'Member             1002 updated in cluster               c1\n');
    assert.equal((await run(['member', 'remove', '1002'])).out, 'Member             1002 removed from cluster               c1\n');
    assert.deepEqual(store.changes, [
      { kind: 'add', id: 0, peerUrls: ['http://127.0.0.1:9'], learner: true }, { kind: 'promote', id: 0x1002 },
      { kind: 'update', id: 0x1002, peerUrls: ['http://h:1'] }, { kind: 'remove', id: 0x1002 },
    ]);
    assert.equal((await run(['member', 'add'])).code, 2);
    assert.match((await run(['member', 'remove', 'xyz'])).err, /bad member ID arg \("xyz"\), expecting ID in Hex/);
    assert.match((await run(['member', 'add', 'd', '--peer-urls=nonsense'])).err, /given member URLs are invalid/);
  });

  it('alarm list and disarm print what etcdctl prints', async () => {
    assert.deepEqual(await run(['alarm', 'list']), { code: 0, out: '', err: '' });
    await store.changeAlarm({ action: 'raise', member: 4097, type: 'NOSPACE' });
    assert.equal((await run(['alarm', 'list'])).out, 'memberID:4097 alarm:NOSPACE \n');
    assert.match((await run(['alarm', 'list', '-w', 'json'])).out, /"alarms":\[\{"memberID":4097,"alarm":1\}\]/);
    assert.equal((await run(['alarm', 'disarm'])).out, 'memberID:4097 alarm:NOSPACE \n');
    assert.equal((await run(['alarm', 'list'])).out, '');
  });

  it('member replace adds a learner, says how to start it, and then gives it the place of the old one', async () => {
    store.changes.length = 0;
    const { code, out } = await run(['member', 'replace', '1002', 'http://127.0.0.1:9', '--name', 'c']);
    assert.equal(code, 0);
    assert.match(out, /Added learner 1003\. Start it now[^]*--name c --initial-cluster-state existing[^]*has taken the place of 1002/);
    assert.deepEqual(store.changes.map(({ kind, id }) => [kind, id]), [['add', 0], ['replace', 0x1003]]);
    assert.match((await run(['member', 'replace', '1002', 'http://127.0.0.1:1'])).err, /is the voting member 1001 already/);
    assert.match((await run(['member', 'replace', '9', 'http://127.0.0.1:9'])).err, /member 9 is not in the cluster/);
    assert.equal((await run(['member', 'replace', '1002'])).code, 2);
  });

  it('heal and scrub show counters, hints and progress', async () => {
    assert.match((await run(['heal', 'status'])).out, /a \(leader\)\s+1\s+0/);
    assert.match((await run(['heal', 'hints'])).out, /7\s+corrected\s+1002\s+pending\s+4096/);
    const lines = (await run(['scrub', '-w', 'json'])).out.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(lines.map((p) => [p['scannedBytes'], p['done'], p['blocks']]), [[50, false, undefined], [100, true, 4]]);
    assert.match((await run(['scrub', '--rate=32MiB'])).out, /1 faults/);
  });

  it('members that do not answer are not called equal', async () => {
    const { code, out, err } = await run(['--command-timeout=300ms', 'heal', 'verify']);
    assert.equal(code, 1);
    assert.doesNotMatch(out, /equal: all members/);
    assert.match(err, /did not answer/);
  });

  it('help is exit code 0 and has examples for every command', async () => {
    for (const words of [[], ['get'], ['put'], ['del'], ['txn'], ['compaction'], ['endpoint', 'status'], ['endpoint', 'health'], ['member', 'list'],
      ['lease', 'grant'], ['lease', 'revoke'], ['lease', 'timetolive'], ['lease', 'list'], ['lease', 'keep-alive'],
      ['member', 'add'], ['member', 'promote'], ['member', 'remove'], ['member', 'update'], ['member', 'replace'],
      ['move-leader'], ['heal', 'status'], ['heal', 'hints'], ['heal', 'verify'], ['scrub'], ['status']]) {
      const { code, out } = await run([...words, '--help']);
      assert.deepEqual([words.join(' '), code, out.includes('Examples:')], [words.join(' '), 0, true]);
    }
  });

  it('status judges by the worst that holds', () => {
    const member = (id: number): MemberView['member'] => ({ id: BigInt(id), name: `n${id}`, peerUrls: [], clientUrls: [], isLearner: false });
    const header = { clusterId: 1n, memberId: 1n, revision: 5, raftTerm: 2 };
    const up = (id: number, applied = 10): MemberView => ({
      member: member(id), endpoint: `h${id}:1`, heal: undefined, error: '',
      status: {
        header: { ...header, memberId: BigInt(id) }, version: '3.7.0', dbSize: 1, dbSizeInUse: 1, leader: 1n, raftIndex: applied, raftTerm: 2,
        raftAppliedIndex: applied, errors: [], isLearner: false, storageVersion: '2', downgradeTarget: '',
      },
    });
    const down = (id: number): MemberView => ({ member: member(id), endpoint: `h${id}:1`, status: undefined, heal: undefined, error: 'refused' });
    assert.equal(judge([up(1), up(2), up(3)]).state, 'ONLINE');
    assert.equal(judge([up(1), up(2), down(3)]).state, 'DEGRADED');
    assert.equal(judge([up(1), down(2), down(3)]).state, 'UNAVAILABLE');
    assert.equal(judge([up(1, 100_000), up(2, 100_000), up(3, 10)]).state, 'DEGRADED');
  });
});
