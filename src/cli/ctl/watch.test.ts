import assert from 'node:assert/strict';
import { RpcStats } from '../../observability/rpc-stats.js';
import type { WatchEvent } from '../../api/watch.js';
import { utf8 } from '../../base/bytes.js';
import { silent } from '../../base/testing/silent.js';
import { clientPort } from '../../server/rpc/client-server.js';
import { Health } from '../../server/rpc/health-service.js';
import { clientMethods } from '../../server/rpc/services.js';
import { FakeStore } from '../../server/testing/fake-store.js';
import type { FakeWatch } from '../../server/testing/fake-watch.js';
import type { ClientPort } from '../../server/transport/client-port.js';
import { listenAddress } from '../../server/transport/listen-address.js';
import { FakeIo } from '../testing/fake-io.js';
import { ctl } from './ctl.js';

const DENIED = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';

function event(type: 'put' | 'delete', key: string, value: string, revision: number, before?: string): WatchEvent {
  const kv = (text: string, at: number): WatchEvent['kv'] =>
    ({ key: utf8(key), createRevision: type === 'put' ? 2 : 0, modRevision: at, version: 1, value: utf8(text), lease: 0n });
  return { type, kv: kv(value, revision), prevKv: before === undefined ? undefined : kv(before, revision - 1) };
}

describe('kintsugi ctl watch', () => {
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

  interface Run {
    readonly io: FakeIo;
    readonly over: Promise<number>;
  }

  function start(args: readonly string[], stdin = '', env: Readonly<Record<string, string>> = {}): Run {
    const io = new FakeIo({ KINTSUGI_ENDPOINTS: endpoint, PATH: process.env['PATH'], ...env }, stdin);
    return { io, over: ctl(args, io) };
  }

  async function session(n = 0): Promise<FakeWatch> {
    while (store.watches.length <= n) await new Promise((resolve) => setImmediate(resolve));
    const fake = store.watches[n] as FakeWatch;
    await fake.until(() => fake.requests.length > 0);
    return fake;
  }

  /** One watch that gets these events of one revision each, and is refused then. */
  async function watched(args: readonly string[], events: readonly WatchEvent[], stdin = ''): Promise<{ out: string; err: string; code: number }> {
    const { io, over } = start(args, stdin);
    const fake = await session();
    fake.answer({ created: true, revision: 1 });
    for (const one of events) fake.answer({ revision: one.kv.modRevision, events: [one] });
    fake.answer({ canceled: true, cancelReason: DENIED });
    return { code: await over, out: io.text, err: io.errors };
  }

  it('prints what etcdctl prints, as simple text, JSON and fields', async () => {
    const events = [event('put', 'a', '1', 3), event('put', 'a', '2', 4, '1'), event('delete', 'a', '', 5, '2')];
    const simple = await watched(['watch', 'a', '--prev-kv'], events);
    assert.equal(simple.out, 'PUT\na\n1\nPUT\na\n1\na\n2\nDELETE\na\n2\na\n\n');
    assert.equal(simple.code, 1);
    assert.match(simple.err, /^Error: etcdserver: permission denied\n/);
    store.watches.length = 0;
    assert.equal((await watched(['watch', 'a', '--hex'], events.slice(0, 1))).out, 'PUT\n\\x61\n\\x31\n');
    store.watches.length = 0;
    const json = (await watched(['watch', 'a', '-w', 'json'], events.slice(1))).out.split('\n');
    const header = (revision: number): string => `{"cluster_id":193,"member_id":4097,"revision":${revision},"raft_term":3}`;
    assert.deepEqual(json, [
      `{"Header":${header(4)},"Events":[{"kv":{"key":"YQ==","create_revision":2,"mod_revision":4,"version":1,"value":"Mg=="},` +
      '"prev_kv":{"key":"YQ==","create_revision":2,"mod_revision":3,"version":1,"value":"MQ=="}}],"CompactRevision":0,"Canceled":false,"Created":false}',
      `{"Header":${header(5)},"Events":[{"type":1,"kv":{"key":"YQ==","mod_revision":5,"version":1},` +
      '"prev_kv":{"key":"YQ==","mod_revision":4,"version":1,"value":"Mg=="}}],"CompactRevision":0,"Canceled":false,"Created":false}',
      '',
    ]);
    store.watches.length = 0;
    assert.equal((await watched(['watch', 'a', '-w', 'fields'], events.slice(0, 1))).out,
      '"ClusterID" : 193\n"MemberID" : 4097\n"Revision" : 3\n"RaftTerm" : 3\n"Type" : PUT\n' +
      '"Key" : "a"\n"CreateRevision" : 2\n"ModRevision" : 3\n"Version" : 1\n"Value" : "1"\n"Lease" : 0\n');
  });

  it('asks for the key, the range, the prefix and the revision that it is given, also by the environment', async () => {
    const cases: readonly (readonly [readonly string[], Readonly<Record<string, string>>, readonly [string, string, number]])[] = [
      [['watch', 'a'], {}, ['a', '', 0]],
      [['watch', 'a', 'c', '--rev=7'], {}, ['a', 'c', 7]],
      [['watch', '--prefix=true', 'a'], {}, ['a', 'b', 0]],
      [['watch', 'a', '--from-key', '--progress-notify'], {}, ['a', '\0', 0]],
      [['watch'], { ETCDCTL_WATCH_KEY: 'k', ETCDCTL_WATCH_RANGE_END: 'm' }, ['k', 'm', 0]],
      [['watch', '--', 'true'], { KINTSUGI_WATCH_KEY: 'k' }, ['k', '', 0]],
    ];
    for (const [args, env, expected] of cases) {
      store.watches.length = 0;
      const { over } = start(args, '', env);
      const fake = await session();
      const [request] = fake.requests;
      assert.ok(request?.kind === 'create');
      const { key, rangeEnd, startRevision, progressNotify } = request.create;
      assert.deepEqual([Buffer.from(key).toString(), Buffer.from(rangeEnd).toString(), startRevision], expected, args.join(' '));
      assert.equal(progressNotify, args.includes('--progress-notify'));
      fake.answer({ canceled: true, cancelReason: DENIED });
      assert.equal(await over, 1);
    }
  });

  it('progress is printed, and a compacted revision is an error that says what to do', async () => {
    const { io, over } = start(['watch', 'a', '--rev', '3', '--progress-notify']);
    const fake = await session();
    fake.answer({ created: true, revision: 90 });
    fake.answer({ revision: 91 });
    fake.answer({ canceled: true, compactRevision: 50 });
    assert.equal(await over, 1);
    assert.equal(io.text, 'progress notify: 91\n');
    assert.match(io.errors, /^Error: etcdserver: mvcc: required revision has been compacted: up to 50\n(.*\n)* *try: /);
  });

  it('runs a command for each event, one after the other, with what happened in its environment, and ends when it fails', async () => {
    const script = 'printf "%s\\n" "$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE $ETCD_WATCH_REVISION $0"; test "$ETCD_WATCH_REVISION" != 5';
    const events = [event('put', 'a"', '1\n', 3), event('delete', 'a', '', 4), event('put', 'a', 'x', 5), event('put', 'a', 'y', 6)];
    const { code, out, err } = await watched(['watch', '--prefix', 'a', '--', 'sh', '-c', script, '--prefix'], events);
    assert.equal(out,
      'PUT\na"\n1\n\n"PUT" "a\\"" "1\\n" 3 --prefix\nDELETE\na\n\n"DELETE" "a" "" 4 --prefix\nPUT\na\nx\n"PUT" "a" "x" 5 --prefix\n');
    assert.equal(code, 1);
    assert.match(err, /^Error: command \["sh".* ended with exit code 1\n$/);
    store.watches.length = 0;
    const missing = await watched(['watch', 'a', '--', '/no/such/command'], events);
    assert.deepEqual([missing.code, /could not be run: .*ENOENT/.test(missing.err)], [1, true], missing.err);
  });

  it('takes watches and requests for progress from standard input, and goes on after a line that makes no sense', async () => {
    const { io, over } = start(['watch', '-i'], 'nope\nwatch\nwatch "a b" --prev-kv\nwatch b c --rev 4\nprogress\n');
    const asked = [await session(0), await session(1)].map((fake) => {
      const [request] = fake.requests;
      assert.ok(request?.kind === 'create');
      const { key, startRevision, prevKv } = request.create;
      return { fake, text: `${Buffer.from(key).toString()} ${startRevision} ${String(prevKv)}` };
    });
    const one = asked.find(({ text }) => text === 'a b 0 true')?.fake;
    const other = asked.find(({ text }) => text === 'b 4 false')?.fake;
    assert.ok(one && other, JSON.stringify(asked.map(({ text }) => text)));
    one.answer({ created: true, revision: 1 });
    other.answer({ created: true, revision: 1 });
    one.answer({ revision: 2, events: [event('put', 'a b', '1', 2)] });
    while (!io.text.includes('a b')) await new Promise((resolve) => setImmediate(resolve));
    other.answer({ canceled: true, cancelReason: DENIED });
    assert.equal(await over, 1);
    assert.equal(io.text, 'PUT\na b\n1\n');
    assert.match(io.errors, /^Error: invalid watch request: nope .*\nError: watch command needs one argument .*\nError: etcdserver: permission denied\n/);
  });

  it('wrong usage is exit code 2, and other commands have no use for --', async () => {
    for (const args of [['watch'], ['watch', 'a', 'b', 'c'], ['watch', 'a', 'b', '--prefix'], ['watch', 'a', '--rev=x'], ['watch', 'a', '--rev=-1'],
      ['watch', 'a', '-w', 'table'], ['watch', 'a', '--']]) {
      const { io, over } = start(args);
      assert.deepEqual([args.join(' '), await over], [args.join(' '), 2]);
      assert.match(io.errors, /^Error: /);
    }
    assert.equal(store.watches.length, 0);
    assert.equal(await start(['put', '--', '--key', '--value']).over, 0);
    assert.equal(await start(['put', '--', '--', 'dashes']).over, 0);
    const { io, over } = start(['get', '', '--prefix']);
    await over;
    assert.equal(io.text, '--\ndashes\n--key\n--value\n');
  });
});
