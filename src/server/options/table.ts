/**
 * Every option of `kintsugi start`: all that etcd's server takes, of 3.4 and of 3.7, and our own. A
 * script that starts etcd starts Kintsugi: what has no meaning here is accepted and named in the
 * log, what promises something that is not kept is refused.
 */

import { DEFAULT_SCHEME, formatScheme } from '../../ecc/scheme.js';
import { KiB, MiB } from '../../base/bytes.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import type { OptionKind, OptionSpec, OptionValue, Support } from './spec.js';

const here: Support = { kind: 'here' };
const moot = (why: string): Support => ({ kind: 'moot', why });
const refused = (why: string): Support => ({ kind: 'refused', why });

type Row = readonly [name: string, kind: OptionKind, value: OptionValue, support: Support, help: string, extra?: Partial<OptionSpec>];

function group(name: string, rows: readonly Row[]): OptionSpec[] {
  return rows.map(([option, kind, value, support, help, extra]) => ({
    name: option, group: name, kind, default: value, support, help, ...extra,
  }));
}

const NO_DISCOVERY = refused('discovery is not served; list the members with --initial-cluster');
const NO_PROXY = moot('there is no v2 proxy');
const NO_V2 = refused("etcd's v2 API is not served");
const ALWAYS_CHECKED = moot('members agree on the digest of each table before it is installed, and each read is verified by it');
const NO_GATEWAY_CALLS = moot('the JSON gateway makes its calls within the process');
const TREE = 'the store is a log-structured tree of its own, without a bbolt backend';
const GONE = moot('etcd itself ignores it since 3.0');
const NO_TRACES = moot('traces are not sent');
const IGNORED_DISCOVERY = moot('discovery is not served');
const ms = { bareMs: 1 };

const member = group('Member', [
  ['name', 'text', 'default', here, 'Name of this member, unique in the cluster.'],
  ['data-dir', 'text', '', here, 'Data directory. Default: <name>.kintsugi'],
  ['wal-dir', 'text', '', refused('the log lies in <data-dir>/log'), 'Directory of the log.'],
  ['snapshot-count', 'int', 100_000, moot('a snapshot is the manifest and costs nothing to have'), 'Entries between snapshots.'],
  ['heartbeat-interval', 'duration', 100, here, 'Time between heartbeats; a bare number is milliseconds.', ms],
  ['election-timeout', 'duration', 1000, here, 'Time without a leader before an election; a bare number is milliseconds.', ms],
  ['initial-election-tick-advance', 'bool', true, moot('elections start at once here'), 'Advance the first election.'],
  ['listen-peer-urls', 'list', ['http://localhost:2380'], here, 'URLs to listen on for the other members.'],
  ['listen-client-urls', 'list', ['http://localhost:2379'], here, 'URLs to listen on for clients.'],
  ['max-snapshots', 'int', 5, moot('old snapshots are not kept'), 'Snapshot files to keep.'],
  ['max-wals', 'int', 5, moot('log segments are recycled'), 'Log files to keep.'],
  ['quota-backend-bytes', 'size', 0, here, 'Size of the store at which puts are refused (alarm NOSPACE). 0 or less: none.'],
  ['backend-batch-interval', 'duration', 0, moot(TREE), 'Time between backend commits.', ms],
  ['backend-batch-limit', 'int', 0, moot(TREE), 'Operations between backend commits.'],
  ['watch-progress-notify-interval', 'duration', 600_000, here, 'Time between messages to quiet watchers that ask how far they are.'],
  ['backend-bbolt-freelist-type', 'choice', 'map', moot(TREE), 'Backend detail.', { choices: ['array', 'map'] }],
  ['memory-mlock', 'bool', false, moot('no file is mapped into memory; keep the machine from swapping instead'), 'Keep pages in memory.'],
  ['listen-client-http-urls', 'list', [], refused('HTTP is served on --listen-client-urls'), 'URLs for HTTP alone.'],
  ['socket-reuse-port', 'bool', false, refused('Node cannot set SO_REUSEPORT'), 'Listen on a port that another process listens on.'],
  ['socket-reuse-address', 'bool', false, moot('it is always set'), 'Listen on an address in TIME_WAIT.'],
  ['raft-read-timeout', 'duration', 5_000, moot('streams of members have their own'), 'Time-out of reads from members.'],
  ['raft-write-timeout', 'duration', 5_000, moot('streams of members have their own'), 'Time-out of writes to members.'],
  ['feature-gates', 'text', '', here, 'Features by name: Name=true,Name=false; each is kept, moot or refused.'],
  ['max-txn-ops', 'int', 128, here, 'Operations in each list of a txn; at most 1024.'],
  ['max-request-bytes', 'size', 1_572_864, here, 'Largest write request.'],
  ['max-concurrent-streams', 'int', 0xffff_ffff, here, 'Streams that one client connection may have open.'],
  ['grpc-keepalive-min-time', 'duration', 5_000, moot('clients may ping as often as they like'), 'Least time between pings of a client.'],
  ['grpc-keepalive-interval', 'duration', 7_200_000, here, 'Time between pings to idle clients; 0 for none.'],
  ['grpc-keepalive-timeout', 'duration', 20_000, here, 'Time without an answer to a ping before the connection is closed.'],
]);

const clustering = group('Clustering', [
  ['initial-advertise-peer-urls', 'list', ['http://localhost:2380'], here, 'URLs at which the other members reach this one.'],
  ['initial-cluster', 'text', '', here, 'All members: name=url,name=url. Default: this one alone.'],
  ['initial-cluster-state', 'choice', 'new', here, 'new, or existing for a member whose data directory is already there.',
    { choices: ['new', 'existing'] }],
  ['initial-cluster-token', 'text', 'etcd-cluster', here, 'Keeps clusters apart that have equal members.'],
  ['advertise-client-urls', 'list', ['http://localhost:2379'], here, 'URLs at which clients reach this member.'],
  ['discovery', 'text', '', NO_DISCOVERY, 'Discovery URL.'],
  ['discovery-fallback', 'choice', 'proxy', moot('discovery is not served'), 'What to do when discovery fails.', { choices: ['exit', 'proxy'] }],
  ['discovery-proxy', 'text', '', NO_DISCOVERY, 'Proxy for discovery.'],
  ['discovery-srv', 'text', '', NO_DISCOVERY, 'DNS domain for discovery.'],
  ['discovery-srv-name', 'text', '', NO_DISCOVERY, 'Suffix of the DNS service name.'],
  ...['token', 'endpoints', 'user', 'password', 'cert', 'key', 'cacert']
    .map((name): Row => [`discovery-${name}`, name === 'endpoints' ? 'list' : 'text', name === 'endpoints' ? [] : '', NO_DISCOVERY, 'Discovery.']),
  ...([['dial-timeout', 2_000], ['request-timeout', 5_000], ['keepalive-time', 2_000], ['keepalive-timeout', 6_000]] as const)
    .map(([name, value]): Row => [`discovery-${name}`, 'duration', value, IGNORED_DISCOVERY, 'Discovery.']),
  ['discovery-insecure-transport', 'bool', true, IGNORED_DISCOVERY, 'Discovery.'],
  ['discovery-insecure-skip-tls-verify', 'bool', false, IGNORED_DISCOVERY, 'Discovery.'],
  ['v2-deprecation', 'text', 'write-only', moot('there is no v2 store'), 'Phase of the v2 store.'],
  ['max-learners', 'int', 1, refused('one learner at a time is let in'), 'Learners that a cluster may have.'],
  ['strict-reconfig-check', 'bool', true, here, 'Refuse changes that would cost the quorum.'],
  ['pre-vote', 'bool', true, moot('pre-vote is always on'), 'Ask before campaigning.'],
  ['auto-compaction-retention', 'text', '0', here, 'History to keep: hours or a time (30m), or a number of revisions. 0: all.'],
  ['auto-compaction-mode', 'choice', 'periodic', here, 'How to read the retention.',
    { choices: ['periodic', 'revision'] }],
  ['enable-v2', 'bool', false, NO_V2, 'Serve the v2 API.'],
]);

const security = group('Security', [
  ['cert-file', 'text', '', here, 'Certificate that clients are shown (PEM; with those between it and its authority).'],
  ['key-file', 'text', '', here, 'Key of that certificate.'],
  ['client-cert-file', 'text', '', NO_GATEWAY_CALLS, 'Certificate of the gateway.'],
  ['client-key-file', 'text', '', NO_GATEWAY_CALLS, 'Key of that certificate.'],
  ['client-cert-auth', 'bool', false, here, 'Clients must show a certificate of --trusted-ca-file; its common name is a user.'],
  ['client-crl-file', 'text', '', here, 'Revoked client certificates (PEM or DER).'],
  ['client-cert-allowed-hostname', 'text', '', here, 'Client certificates must be for this host; several with commas between.'],
  ['trusted-ca-file', 'text', '', here, 'Authorities of client certificates; with it clients must show one.'],
  ['auto-tls', 'bool', false, here, 'Make a certificate for clients, in <data-dir>/fixtures/client.'],
  ['peer-cert-file', 'text', '', here, 'Certificate that other members are shown, by either side.'],
  ['peer-key-file', 'text', '', here, 'Key of that certificate.'],
  ['peer-client-cert-file', 'text', '', here, 'Certificate for connections to other members. Default: --peer-cert-file'],
  ['peer-client-key-file', 'text', '', here, 'Key of that certificate.'],
  ['peer-client-cert-auth', 'bool', false, here, 'Members must show a certificate of --peer-trusted-ca-file.'],
  ['peer-trusted-ca-file', 'text', '', here, 'Authorities of member certificates; with it members must show one.'],
  ['peer-cert-allowed-cn', 'text', '', here, 'Common name in member certificates; several with commas between.'],
  ['peer-cert-allowed-hostname', 'text', '', here, 'Member certificates must be for this host; several with commas between.'],
  ['peer-auto-tls', 'bool', false, here, 'Make a certificate for members, in <data-dir>/fixtures/peer: encrypted, but nobody is verified.'],
  ['peer-crl-file', 'text', '', here, 'Revoked member certificates (PEM or DER).'],
  ['self-signed-cert-validity', 'int', 1, here, 'Years for which --auto-tls and --peer-auto-tls make certificates.'],
  ['cipher-suites', 'list', [], here, 'TLS 1.2 cipher suites, by the names of IANA.'],
  ['tls-min-version', 'text', '', here, 'TLS1.2 or TLS1.3. Default: TLS1.2'],
  ['tls-max-version', 'text', '', here, 'TLS1.2 or TLS1.3. Default: TLS1.3'],
  ['peer-skip-client-san-verification', 'bool', false, here,
    'Do not compare the SAN of member certificates with the host of their peer URLs.'],
  ['experimental-peer-skip-client-san-verification', 'bool', false, here, 'Old name of --peer-skip-client-san-verification.'],
  ['cors', 'list', ['*'], here, 'Origins whose pages may read what is answered over HTTP; * or none: all.'],
  ['host-whitelist', 'list', ['*'], here, 'Host names in HTTP requests without TLS; others are refused. * or none: all.'],
  ['auth-token', 'text', 'simple', here, 'simple, or jwt,sign-method=RS256,pub-key=FILE,priv-key=FILE,ttl=5m.'],
  ['bcrypt-cost', 'int', 10, here, 'Cost of password hashes, 4 to 31.'],
  ['auth-token-ttl', 'int', 300, here, 'Seconds after its last use for which a token is good.'],
]);

const logging = group('Logging and monitoring', [
  ['enable-pprof', 'bool', false, moot('use `node --cpu-prof`'), 'Serve profiles.'],
  ['metrics', 'choice', 'basic', moot('all metrics are always there'), 'Detail of the metrics.', { choices: ['basic', 'extensive'] }],
  ['listen-metrics-urls', 'list', [], here, 'URLs for /metrics, /livez, /readyz, /health, /status and /version.'],
  ['logger', 'choice', 'zap', here, 'Accepted for etcd\'s sake; the log is always JSON lines.', { choices: ['capnslog', 'zap'] }],
  ['log-outputs', 'list', ['default'], here, 'default (stderr), stderr, stdout, or files.'],
  ['log-output', 'list', [], moot('it is --log-outputs now'), 'Old name of --log-outputs.'],
  ['log-level', 'choice', 'info', here, 'Least level that is logged.', { choices: ['debug', 'info', 'warn', 'error', 'panic', 'fatal'] }],
  ['log-format', 'choice', 'json', refused('the log is always JSON lines'), 'Form of the log.', { choices: ['json', 'console'] }],
  ['enable-log-rotation', 'bool', false, refused('have the files of --log-outputs rotated by the system'), 'Rotate the log.'],
  ['log-rotation-config-json', 'text', '', moot('the log is not rotated here'), 'How to rotate it.'],
  ['warning-unary-request-duration', 'duration', 300, moot('see the metrics instead'), 'Calls slower than this are logged.'],
  ['warning-apply-duration', 'duration', 100, moot('see the metrics instead'), 'Applies slower than this are logged.'],
  ['enable-distributed-tracing', 'bool', false, refused('traces are not sent'), 'Send traces.'],
  ['distributed-tracing-address', 'text', 'localhost:4317', NO_TRACES, 'Where to.'],
  ['distributed-tracing-service-name', 'text', 'etcd', NO_TRACES, 'Of the cluster.'],
  ['distributed-tracing-instance-id', 'text', '', NO_TRACES, 'Of the member.'],
  ['distributed-tracing-sampling-rate', 'int', 0, NO_TRACES, 'Of a million spans.'],
  ['log-package-levels', 'text', '', moot('--log-level holds for all'), 'Level per package.'],
  ['debug', 'bool', false, here, 'Same as --log-level debug.'],
]);

const other = group('Other', [
  ['proxy', 'choice', 'off', refused("etcd's v2 proxy is not served"), 'v2 proxy.', { choices: ['off', 'readonly', 'on'] }],
  ['proxy-failure-wait', 'int', 5000, NO_PROXY, 'v2 proxy.'],
  ['proxy-refresh-interval', 'int', 30_000, NO_PROXY, 'v2 proxy.'],
  ['proxy-dial-timeout', 'int', 1000, NO_PROXY, 'v2 proxy.'],
  ['proxy-write-timeout', 'int', 5000, NO_PROXY, 'v2 proxy.'],
  ['proxy-read-timeout', 'int', 0, NO_PROXY, 'v2 proxy.'],
  ['enable-grpc-gateway', 'bool', true, here, 'Serve JSON over HTTP on the client port, under /v3/.'],
  ['corrupt-check-time', 'duration', 0, ALWAYS_CHECKED, 'Time between comparisons with the others.'],
  ['compact-hash-check-time', 'duration', 60_000, moot('the gate CompactHashCheck is off'), 'Time between comparisons of compactions.'],
  ['compaction-batch-limit', 'int', 1000, moot(TREE), 'Revisions per compaction batch.'],
  ['compaction-sleep-interval', 'duration', 10, moot(TREE), 'Time between compaction batches.'],
  ['bootstrap-defrag-threshold-megabytes', 'int', 0, moot('nothing needs defragmenting'), 'Space that a start frees.'],
  ['downgrade-check-time', 'duration', 5_000, moot('a downgrade is seen when it is applied'), 'Time between looks at a downgrade.'],
  ['snapshot-catchup-entries', 'int', 5_000, moot('what of the log is kept follows from what is durable'), 'Entries kept for slow followers.'],
  ['experimental-initial-corrupt-check', 'bool', false, ALWAYS_CHECKED, 'Compare with the others before serving.'],
  ['experimental-corrupt-check-time', 'duration', 0, ALWAYS_CHECKED, 'Time between comparisons with the others.'],
  ['experimental-enable-v2v3', 'text', '', NO_V2, 'v2 API over v3.'],
  ['experimental-backend-bbolt-freelist-type', 'text', 'array', moot(TREE), 'Backend detail.'],
  ['experimental-enable-lease-checkpoint', 'bool', false, moot('the remaining time of leases is always kept'), 'Keep remaining lease time.'],
  ['experimental-enable-lease-checkpoint-persist', 'bool', false, moot('the remaining time of leases is always kept'), 'Keep remaining lease time.'],
  ['experimental-compaction-batch-limit', 'int', 1000, moot(TREE), 'Revisions per compaction batch.'],
  ['experimental-watch-progress-notify-interval', 'duration', 600_000, here, 'Old name of --watch-progress-notify-interval.'],
  ['experimental-warning-apply-duration', 'duration', 100, moot('see the metrics instead'), 'Applies slower than this are logged.'],
  ['force-new-cluster', 'bool', false, refused('it would make another cluster at every start: run kintsugi recover --force-new-cluster once, and start without it'), 'Start alone with this data.'],
  ['unsafe-no-fsync', 'bool', false, refused('acknowledged writes would not be durable'), 'Do not sync.'],
  ...['snapshot', 'v', 'vv', 'config', 'force', 'cluster-active-size', 'cluster-remove-delay', 'cluster-sync-interval',
    'max-result-buffer', 'max-retry-attempts', 'peer-heartbeat-interval', 'peer-election-timeout', 'retry-interval']
    .map((name): Row => [name, 'text', '', GONE, 'Ignored.']),
]);

const own = group('Kintsugi', [
  ['ecc-scheme', 'text', formatScheme(DEFAULT_SCHEME), here, 'Parity of a new cluster: none, secded, xor(k), rs(k,m).'],
  ['block-bytes', 'size', DEFAULT_TREE_SETTINGS.format.blockBytes, here, 'Block size of a new cluster.'],
  ['cache-bytes', 'size', 64 * MiB, here, 'Cache of decoded blocks.'],
  ['experimental-memtable-bytes', 'size', DEFAULT_TREE_SETTINGS.memtableBytes, here, 'Size at which a new cluster seals a memtable.'],
  ['experimental-table-bytes', 'size', DEFAULT_TREE_SETTINGS.format.tableBytes, here, 'Table size of a new cluster.'],
  ['auto-recover', 'bool', false, here,
    'Ask by itself to be re-admitted as a new member when hard state or log are lost, or the directory is empty or an old copy.'],
  ['transfer-bytes-per-second', 'size', 64 * MiB, here, 'Table bytes that this member sends to others that lag, in a second.'],
  ['experimental-log-segment-bytes', 'size', 16 * MiB, here, 'Size of a log segment.'],
]);

export const OPTIONS: readonly OptionSpec[] = [...member, ...clustering, ...own, ...logging, ...security, ...other];

export const MIN_BLOCK_BYTES = KiB;
