import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildConfig, clusterIdOf, memberIdOf, type NodeConfig } from './config.js';
import { FEATURE_GATES } from './feature-gates.js';
import { describeOptions, helpText, parseOptions, type ParsedOptions } from './parse.js';
import { parseDuration, parseSize, UsageError } from './spec.js';
import { OPTIONS } from './table.js';

/** What `etcd --help` of 3.4.23 lists, and what it takes besides. */
const ETCD_FLAGS = `name data-dir wal-dir snapshot-count heartbeat-interval election-timeout initial-election-tick-advance
  listen-peer-urls listen-client-urls max-snapshots max-wals quota-backend-bytes backend-batch-interval backend-batch-limit
  max-txn-ops max-request-bytes max-concurrent-streams grpc-keepalive-min-time grpc-keepalive-interval grpc-keepalive-timeout
  initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token advertise-client-urls discovery
  discovery-fallback discovery-proxy discovery-srv discovery-srv-name strict-reconfig-check pre-vote auto-compaction-retention
  auto-compaction-mode enable-v2 cert-file key-file client-cert-auth client-crl-file client-cert-allowed-hostname
  trusted-ca-file auto-tls peer-cert-file peer-key-file peer-client-cert-auth peer-trusted-ca-file peer-cert-allowed-cn
  peer-cert-allowed-hostname peer-auto-tls peer-crl-file cipher-suites cors host-whitelist auth-token bcrypt-cost
  auth-token-ttl enable-pprof metrics listen-metrics-urls logger log-outputs log-level proxy proxy-failure-wait
  proxy-refresh-interval proxy-dial-timeout proxy-write-timeout proxy-read-timeout experimental-initial-corrupt-check
  experimental-corrupt-check-time experimental-enable-v2v3 experimental-backend-bbolt-freelist-type
  experimental-enable-lease-checkpoint experimental-compaction-batch-limit experimental-peer-skip-client-san-verification
  experimental-watch-progress-notify-interval experimental-warning-apply-duration force-new-cluster debug log-package-levels
  experimental-enable-lease-checkpoint-persist enable-grpc-gateway unsafe-no-fsync log-output snapshot v vv config`.split(/\s+/);

/** What `etcd --help` of 3.7.3 lists, but for `config-file`, `version` and `help`. */
const ETCD_37_FLAGS = `
  advertise-client-urls auth-token auth-token-ttl auto-compaction-mode auto-compaction-retention auto-tls
  backend-batch-interval backend-batch-limit backend-bbolt-freelist-type bcrypt-cost
  bootstrap-defrag-threshold-megabytes cert-file cipher-suites client-cert-allowed-hostname client-cert-auth
  client-cert-file client-crl-file client-key-file compact-hash-check-time compaction-batch-limit
  compaction-sleep-interval corrupt-check-time cors data-dir discovery discovery-cacert discovery-cert
  discovery-dial-timeout discovery-endpoints discovery-fallback discovery-insecure-skip-tls-verify
  discovery-insecure-transport discovery-keepalive-time discovery-keepalive-timeout discovery-key
  discovery-password discovery-proxy discovery-request-timeout discovery-srv discovery-srv-name discovery-token
  discovery-user distributed-tracing-address distributed-tracing-instance-id distributed-tracing-sampling-rate
  distributed-tracing-service-name downgrade-check-time election-timeout enable-distributed-tracing
  enable-grpc-gateway enable-log-rotation enable-pprof feature-gates force-new-cluster grpc-keepalive-interval
  grpc-keepalive-min-time grpc-keepalive-timeout heartbeat-interval host-whitelist initial-advertise-peer-urls
  initial-cluster initial-cluster-state initial-cluster-token initial-election-tick-advance key-file
  listen-client-http-urls listen-client-urls listen-metrics-urls listen-peer-urls log-format log-level log-outputs
  log-rotation-config-json logger max-concurrent-streams max-learners max-request-bytes max-snapshots max-txn-ops
  max-wals memory-mlock metrics name peer-auto-tls peer-cert-allowed-cn peer-cert-allowed-hostname peer-cert-file
  peer-client-cert-auth peer-client-cert-file peer-client-key-file peer-crl-file peer-key-file
  peer-skip-client-san-verification peer-trusted-ca-file pre-vote quota-backend-bytes raft-read-timeout
  raft-write-timeout self-signed-cert-validity snapshot-catchup-entries snapshot-count socket-reuse-address
  socket-reuse-port strict-reconfig-check tls-max-version tls-min-version trusted-ca-file unsafe-no-fsync
  v2-deprecation wal-dir warning-apply-duration warning-unary-request-duration watch-progress-notify-interval`.trim().split(/\s+/);

/** The gates that it lists. */
const ETCD_37_GATES = `AllAlpha AllBeta CompactHashCheck FastLeaseKeepAlive InitialCorruptCheck LeaseCheckpoint LeaseCheckpointPersist
  PriorityRequest SetMemberLocalAddr StopGRPCServiceOnDefrag TxnModeWriteWithSharedBuffer`.split(/\s+/);

const THREE = 'a=http://127.0.0.1:1,b=http://127.0.0.1:2,c=http://127.0.0.1:3';

function config(...args: string[]): NodeConfig {
  return buildConfig(parseOptions(args, {}));
}

function refused(args: string[], message: string, env: Record<string, string> = {}): void {
  assert.throws(() => buildConfig(parseOptions(args, env)), (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.equal(error.message, message);
    return true;
  });
}

describe('options of start', () => {
  it('every flag of etcd 3.4 and of 3.7 is known, and every gate', () => {
    const known = new Set(OPTIONS.map((spec) => spec.name));
    assert.deepEqual([...ETCD_FLAGS, ...ETCD_37_FLAGS].filter((flag) => !known.has(flag)), []);
    assert.deepEqual(Object.keys(FEATURE_GATES).sort(), ETCD_37_GATES);
    assert.equal(known.size, OPTIONS.length, 'and none stands twice in the table');
  });

  it("etcd's defaults are ours where the option means the same", () => {
    const c = config();
    assert.deepEqual(
      [c.name, c.heartbeatMs, c.electionMs, c.limits.request, c.listenClientUrls, c.advertiseClientUrls, c.members.length],
      ['default', 100, 1000, 1_572_864, ['http://localhost:2379'], ['http://localhost:2379'], 1]);
    assert.match(c.dataDir, /\/default\.kintsugi$/);
  });

  it("takes flags as Go does: one dash or two, a space or '='; a boolean only with '='", () => {
    assert.equal(config('-name', 'x').name, 'x');
    assert.equal(config('--name=x').name, 'x');
    assert.equal(config('--pre-vote', '--name', 'x').name, 'x');
    assert.equal(config('--debug=true').logLevel, 'debug');
    assert.equal(config('--heartbeat-interval', '50', '--election-timeout=500ms').electionMs, 500);
    assert.equal(config('--experimental-memtable-bytes=1MiB').settings.memtableBytes, 1024 * 1024);
  });

  describe('sources', () => {
    let dir: string;
    before(() => {
      dir = mkdtempSync(join(tmpdir(), 'kintsugi-options-'));
    });
    after(() => rmSync(dir, { recursive: true }));

    it('a flag beats the environment, which beats the file, which beats the default; --check says which', () => {
      const file = join(dir, 'config.yaml');
      writeFileSync(file, 'name: file\nheartbeat-interval: 20ms\nelection-timeout: 200\nlisten-metrics-urls: [http://127.0.0.1:5]\n');
      const parsed = parseOptions(['--config-file', file, '--election-timeout=300ms'], {
        KINTSUGI_NAME: 'env', KINTSUGI_ELECTION_TIMEOUT: '250ms', KINTSUGI_NONSENSE: '1', HOME: '/',
      });
      const c = buildConfig(parsed);
      assert.deepEqual([c.name, c.heartbeatMs, c.electionMs, c.listenMetricsUrls], ['env', 20, 300, ['http://127.0.0.1:5']]);
      const text = describeOptions(parsed);
      assert.match(text, /^name +"env" {2}\(env\)$/m);
      assert.match(text, /^heartbeat-interval +20 {2}\(file\) ms$/m);
      assert.match(text, /^election-timeout +300 {2}\(flag\) ms$/m);
      assert.match(text, /^max-txn-ops +128 {2}\(default\)$/m);
      assert.deepEqual(c.notices, ['environment variable KINTSUGI_NONSENSE names no option']);
    });

    it("etcd's names in the environment do as well, and ours beat them", () => {
      const file = join(dir, 'etcd.yaml');
      writeFileSync(file, 'name: file\nheartbeat-interval: 20\n');
      const of = (env: Record<string, string>): NodeConfig => buildConfig(parseOptions([], env));
      assert.equal(of({ ETCD_NAME: 'etcd' }).name, 'etcd');
      assert.equal(of({ ETCD_NAME: 'etcd', KINTSUGI_NAME: 'ours' }).name, 'ours');
      assert.deepEqual([of({ ETCD_CONFIG_FILE: file, ETCD_NAME: 'etcd' }).heartbeatMs, of({ ETCD_CONFIG_FILE: file }).name], [20, 'file']);
      assert.equal(of({ ETCD_UNKNOWN: '1' }).notices.length, 0, 'other programs have such names');
      refused([], 'ETCD_HEARTBEAT_INTERVAL: "x" is not a duration such as 250ms, 5s or 10m', { ETCD_HEARTBEAT_INTERVAL: 'x' });
    });

    it('what is wrong in a file is told with its name', () => {
      const file = join(dir, 'bad.yaml');
      writeFileSync(file, 'listen_client_urls: x\n');
      refused(['--config-file', file], `${file}: unknown key listen_client_urls; did you mean --listen-client-urls?`);
      writeFileSync(file, 'name: {a: 1}\n');
      refused(['--config-file', file], `${file}: name is a map, one value is wanted`);
      writeFileSync(file, '- a\n');
      refused(['--config-file', file], `${file}: not a map of options`);
    });

    it('an etcd data directory is not touched, and who joins says so', () => {
      assert.equal(config('--data-dir', dir, '--initial-cluster-state=existing').existing, true);
      assert.deepEqual([config('--data-dir', dir).existing, config('--strict-reconfig-check=false').strictReconfig], [false, false]);
      const etcd = join(dir, 'etcd');
      mkdirSync(join(etcd, 'member', 'wal'), { recursive: true });
      refused(['--data-dir', etcd], `--data-dir: ${etcd} holds data of etcd, which is not read; choose another directory`);
    });
  });

  it('a quota of 0 or less is none, in each form that scripts give it', () => {
    assert.equal(config().quotaBytes, 0);
    assert.equal(config('--quota-backend-bytes=8589934592').quotaBytes, 8 * 2 ** 30);
    for (const none of ['0', '-1']) {
      assert.deepEqual([config(`--quota-backend-bytes=${none}`).quotaBytes, config('--quota-backend-bytes', none).quotaBytes], [0, 0], none);
    }
    refused(['--block-bytes=-1'], '--block-bytes: -1 is not between 1024 and 1048576');
  });

  it('each bad input has its own sentence', () => {
    refused(['--nmae=x'], 'unknown flag --nmae');
    refused(['--dataDir=x'], 'unknown flag --dataDir; did you mean --data-dir?');
    refused(['start'], '"start" is not a flag');
    refused(['--name'], '--name needs a value');
    refused(['--name='], '--name must not be empty');
    refused(['--pre-vote=maybe'], '--pre-vote: "maybe" is not a boolean: use true or false');
    refused(['--snapshot-count=many'], '--snapshot-count: "many" is not a whole number');
    refused(['--grpc-keepalive-timeout=20'], '--grpc-keepalive-timeout: "20" is not a duration such as 250ms, 5s or 10m');
    refused(['--block-bytes=big'], '--block-bytes: "big" is not a size such as 64MiB or 1572864');
    refused(['--log-level=loud'], '--log-level: "loud" is not one of debug, info, warn, error, panic, fatal');
    refused([], 'KINTSUGI_HEARTBEAT_INTERVAL: "x" is not a duration such as 250ms, 5s or 10m', { KINTSUGI_HEARTBEAT_INTERVAL: 'x' });
    refused(['--election-timeout=400'], '--election-timeout 400ms must be at least 5 times --heartbeat-interval 100ms');
    refused(['--ecc-scheme=rs(1,1)'],
      '--ecc-scheme: ECC scheme "rs(1,1)": use none, secded, xor(k) with k 2 to 32, or rs(k,m) with m 2 to 4');
    refused(['--block-bytes=1'], '--block-bytes: 1 is not between 1024 and 1048576');
    assert.deepEqual([config().maxTxnOps, config('--max-txn-ops=1024').maxTxnOps], [128, 1024]);
    refused(['--max-txn-ops=1025'], '--max-txn-ops: 1025 is not between 1 and 1024');
  });

  it('TLS is what etcd makes of the same flags, and what does not go together is told', () => {
    const pair = ['--cert-file=c', '--key-file=k'];
    const at = ['--listen-client-urls=https://h:1,http://h:2', '--advertise-client-urls=https://h:1'];
    const { client } = config(...pair, ...at, '--trusted-ca-file=a', '--client-crl-file=r', '--client-cert-allowed-hostname=x,y').tls;
    assert.deepEqual([client.certFile, client.caFile, client.verifies, client.allowedHosts], ['c', 'a', true, ['x', 'y']]);
    const asked = (...flags: string[]): boolean[] => {
      const { client: { verifies, namesUsers }, peer } = config(...pair, ...at, ...flags).tls;
      return [verifies, namesUsers, peer.namesUsers];
    };
    assert.deepEqual(asked(), [false, false, false]);
    assert.deepEqual(asked('--trusted-ca-file=a'), [true, false, false], 'whoever has a certificate, and nobody by it');
    assert.deepEqual(asked('--trusted-ca-file=a', '--client-cert-auth'), [true, true, false]);
    assert.deepEqual(asked('--peer-trusted-ca-file=a', '--peer-client-cert-auth'), [false, false, false]);
    assert.deepEqual(config(...pair).notices, ['TLS for client connections is not used: no URL that is listened on begins with https://']);
    const suites = config('--cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', '--tls-max-version=TLS1.2').tls.peer;
    assert.match(suites.ciphers ?? '', /:ECDHE-RSA-AES128-GCM-SHA256$/);
    assert.deepEqual([suites.minVersion, suites.maxVersion], ['TLSv1.2', 'TLSv1.2']);
    assert.deepEqual(config('--auto-tls', ...at, '--self-signed-cert-validity=2').tls.auto, { client: true, peer: false, days: 730 });
    refused([...pair, ...at, '--client-cert-auth'], '--client-cert-auth needs --trusted-ca-file: whose certificates are good?');
    refused([...pair, ...at, '--client-crl-file=r'], 'what is asked of client certificates needs --client-cert-auth and --trusted-ca-file');
    refused(['--listen-peer-urls=https://h:1'], 'https://h:1 wants TLS: give --peer-cert-file and --peer-key-file, or --peer-auto-tls');
    refused(['--listen-metrics-urls=https://h:1'], 'https://h:1 wants TLS: give --cert-file and --key-file, or --auto-tls');
    refused(['--tls-min-version=SSL3'], '--tls-min-version: "SSL3" is not TLS1.2 or TLS1.3');
    refused(['--tls-min-version=TLS1.3', '--tls-max-version=TLS1.2'], '--tls-min-version TLS1.3 is above --tls-max-version TLS1.2');
    refused(['--tls-min-version=TLS1.3', '--cipher-suites=TLS_AES_128_GCM_SHA256'], '--cipher-suites cannot be chosen when only TLS1.3 is served');
    refused(['--auto-tls', '--trusted-ca-file=a', ...at],
      '--auto-tls makes certificates of no authority: --client-cert-auth and --trusted-ca-file do not go with it');
    assert.throws(() => config('--cipher-suites=RC4'), /--cipher-suites: "RC4" is not known; there are TLS_RSA/);
    assert.throws(() => config('--peer-trusted-ca-file=a', '--peer-cert-allowed-cn=a', '--peer-cert-allowed-hostname=b'), /exclude each other/);
  });

  it('half a TLS pair is named as such, and auth and the rest of what is not kept is refused by name', () => {
    refused(['--cert-file=x'], '--cert-file needs --key-file: either both are set or neither');
    refused(['--peer-key-file=x'], '--peer-key-file needs --peer-cert-file: either both are set or neither');
    refused(['--auth-token=other'], '--auth-token: "other" is neither simple nor jwt,sign-method=...');
    refused(['--force-new-cluster'], '--force-new-cluster is refused: it would make another cluster at every start: ' +
      'run kintsugi recover --force-new-cluster once, and start without it');
    refused(['--discovery=http://x'], '--discovery is refused: discovery is not served; list the members with --initial-cluster');
    refused(['--proxy=on'], "--proxy is refused: etcd's v2 proxy is not served");
    refused(['--unsafe-no-fsync'], '--unsafe-no-fsync is refused: acknowledged writes would not be durable');
    refused(['--feature-gates=SetMemberLocalAddr=true'], '--feature-gates: SetMemberLocalAddr=true is refused: ' +
      'connections to members leave from whatever address the system takes');
    assert.deepEqual(config('--auth-token=simple', '--auto-tls=false').notices, [], 'asking for the default promises nothing');
  });

  it('what has no meaning here is accepted and noted once', () => {
    assert.deepEqual(config('--snapshot-count=10000', '--enable-pprof').notices, [
      '--snapshot-count has no effect: a snapshot is the manifest and costs nothing to have',
      '--enable-pprof has no effect: use `node --cpu-prof`',
    ]);
  });

  it('members are named once, have URLs of their own, and this one is among them', () => {
    const advertise = '--initial-advertise-peer-urls=http://127.0.0.1:1';
    refused(['--initial-cluster', 'a=http://h:1,a=http://h:2'], '--initial-cluster: two members have the name "a"');
    refused(['--initial-cluster', 'a=http://h:1,b=http://h:1'], '--initial-cluster: a and b have the same URL http://h:1');
    refused(['--initial-cluster', 'http://h:1'], '--initial-cluster: "http://h:1" is not name=url');
    refused(['--name=z', '--initial-cluster', THREE, advertise], '--name "z" is not in --initial-cluster (it has a, b, c)');
    refused(['--name=b', '--initial-cluster', THREE, advertise],
      '--initial-cluster says b=http://127.0.0.1:2, but --initial-advertise-peer-urls is http://127.0.0.1:1: they must be equal');
    assert.equal(config('--name=a', '--initial-cluster', THREE, advertise).members.length, 3);
  });

  it('URLs are http with host and port and nothing else', () => {
    const url = (text: string): string[] => ['--listen-client-urls', text, '--advertise-client-urls=http://h:1'];
    refused(url('127.0.0.1:2379'), '--listen-client-urls: "127.0.0.1:2379" is not a URL such as http://10.0.0.1:2380');
    assert.deepEqual(config('--listen-client-urls', 'unix:///run/k.sock', '--advertise-client-urls', 'unix:///run/k.sock').listenClientUrls,
      ['unix:///run/k.sock']);
    refused(['--listen-peer-urls', 'unix:///run/k.sock'], '--listen-peer-urls: the scheme of "unix:///run/k.sock" is not http or https');
    refused(url('https://h:1'), 'https://h:1 wants TLS: give --cert-file and --key-file, or --auto-tls');
    refused(url('ftp://h:1'), '--listen-client-urls: the scheme of "ftp://h:1" is not http or https');
    refused(url('http://h'), '--listen-client-urls: "http://h" has no port');
    refused(url('http://h:1/x'), '--listen-client-urls: "http://h:1/x" has more than a host and a port');
    refused(['--listen-client-urls=http://h:1'], '--advertise-client-urls is required when --listen-client-urls is set');
  });

  it('ids are a function of token and URLs, the same on every member, and exact in a number', () => {
    const advertise = (n: number): string => `--initial-advertise-peer-urls=http://127.0.0.1:${n}`;
    const a = config('--name=a', '--initial-cluster', THREE, advertise(1));
    const b = config('--name=b', '--initial-cluster', THREE.split(',').reverse().join(','), advertise(2));
    assert.equal(a.clusterId, b.clusterId);
    assert.equal(a.members.find((m) => m.name === 'b')?.id, b.memberId);
    assert.notEqual(a.memberId, b.memberId);
    assert.notEqual(memberIdOf('t', ['http://h:1']), memberIdOf('u', ['http://h:1']));
    assert.ok(Number.isSafeInteger(a.memberId) && a.clusterId < 2n ** 53n);
    // Fixed for ever: a change would make every member a stranger to its own data.
    assert.deepEqual([memberIdOf('etcd-cluster', ['http://localhost:2380']), clusterIdOf('t', [2, 1])], [8_753_800_214_917_792, 6_046_336_508_294_475n]);
  });

  it('durations and sizes', () => {
    assert.deepEqual(['250ms', '5s', '1h30m', '1.5s', '0'].map((t) => parseDuration(t)), [250, 5000, 5_400_000, 1500, 0]);
    assert.deepEqual(['', '5', 'x', '-1s', '5 s'].map((t) => parseDuration(t)), Array(5).fill(undefined));
    assert.deepEqual(['1572864', '64MiB', '1kB', '2GiB'].map(parseSize), [1_572_864, 67_108_864, 1000, 2_147_483_648]);
    assert.deepEqual(['', 'MiB', '1XB', '-1', '9999999999GiB'].map(parseSize), Array(5).fill(undefined));
  });

  it('the help names every option', () => {
    const help = helpText();
    for (const { name } of OPTIONS) assert.ok(help.includes(`--${name} `), name);
  });

  it('gates of features are kept, said to have no effect, or refused with the reason', () => {
    assert.deepEqual(config('--feature-gates', 'LeaseCheckpoint=true,LeaseCheckpointPersist=T,InitialCorruptCheck=true').notices, []);
    assert.deepEqual(config('--feature-gates=LeaseCheckpoint=false, StopGRPCServiceOnDefrag=true').notices, [
      '--feature-gates LeaseCheckpoint=false has no effect: the remaining time of leases is always written to the log',
      '--feature-gates StopGRPCServiceOnDefrag=true has no effect: Defragment stops nothing',
    ]);
    const why = 'members agree on the digest of each table before it is installed, and each read is verified by it';
    assert.deepEqual(config('--feature-gates', 'InitialCorruptCheck=false', '--experimental-initial-corrupt-check').notices, [
      `--experimental-initial-corrupt-check has no effect: ${why}`, `--feature-gates InitialCorruptCheck=false has no effect: ${why}`,
    ]);
    refused(['--feature-gates', 'AllAlpha'], '--feature-gates: "AllAlpha" is not Name=true or Name=false');
    refused(['--feature-gates', 'Magic=true'], `--feature-gates: there is no gate "Magic"; there are ${ETCD_37_GATES.join(', ')}`);
  });

  it("who may come over HTTP is checked when it is read", () => {
    assert.deepEqual(config('--cors', 'https://a.example,http://b:8080', '--host-whitelist=a,b.example').access, {
      origins: ['https://a.example', 'http://b:8080'], hosts: ['a', 'b.example'],
    });
    assert.deepEqual([config().access, config().gateway], [{ origins: ['*'], hosts: ['*'] }, true]);
    assert.equal(config('--enable-grpc-gateway=false').gateway, false);
    refused(['--cors', 'a.example'], '--cors: "a.example" is not an origin such as https://page.example or http://page.example:8080, nor *');
    refused(['--host-whitelist', 'http://a'], '--host-whitelist: "http://a" is not a host name such as db.example, nor *');
  });

  it("the file of etcd 3.7 is read: maps for TLS and sockets, durations in nanoseconds, lists as text", () => {
    const dir = mkdtempSync(join(tmpdir(), 'kintsugi-file-'));
    const path = join(dir, 'etcd.yml');
    const read = (text: string): ParsedOptions => {
      writeFileSync(path, text);
      return parseOptions(['--config-file', path], {});
    };
    try {
      const { options } = read(`name: a
heartbeat-interval: 100
watch-progress-notify-interval: 600000000000
grpc-keepalive-timeout: 20000000000
listen-client-urls: https://127.0.0.1:2379,http://127.0.0.1:2381
log-outputs: [stderr]
client-transport-security:
  cert-file: /c.pem
  key-file: /k.pem
  client-cert-auth: true
  trusted-ca-file: /ca.pem
  allowed-hostname: [a, b]
peer-transport-security:
  auto-tls: true
  allowed-cn: [m]
  skip-client-san-verification: true
socket-options:
  reuse-address: true
feature-gates: LeaseCheckpoint=true
`);
      const value = (name: string): unknown => options.get(name)?.value;
      assert.deepEqual(['heartbeat-interval', 'watch-progress-notify-interval', 'grpc-keepalive-timeout'].map(value), [100, 600_000, 20_000]);
      assert.deepEqual(['cert-file', 'client-cert-auth', 'trusted-ca-file', 'client-cert-allowed-hostname'].map(value), ['/c.pem', true, '/ca.pem', 'a,b']);
      assert.deepEqual(['peer-auto-tls', 'peer-cert-allowed-cn', 'peer-skip-client-san-verification', 'socket-reuse-address'].map(value), [true, 'm', true, true]);
      assert.deepEqual(value('listen-client-urls'), ['https://127.0.0.1:2379', 'http://127.0.0.1:2381']);
      const wrong = (text: string, message: RegExp): void => assert.throws(() => read(text), { name: 'UsageError', message });
      wrong('client-transport-security:\n  cert: x\n', /: unknown key cert in client-transport-security; there are cert-file, /);
      wrong('client-transport-security: x\n', /: client-transport-security is a map of cert-file, /);
      wrong('cert-file: x\nclient-transport-security:\n  cert-file: y\n', /: cert-file is set twice$/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
