/**
 * From resolved options to what a node is started with. Every rule between options is checked here,
 * each with one sentence that says what to change; what passes can be started.
 */

import { jwtOf, type JwtSettings } from './auth-token.js';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { must } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import { messageOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import type { AutoCompactionOptions } from '../../node/auto-compaction.js';
import { parseScheme, type EccScheme } from '../../ecc/scheme.js';
import type { MemberConfig } from '../../replica/base/member-config.js';
import { MOST_TXN_OPS } from '../../replica/kv/validate.js';
import { DEFAULT_TREE_SETTINGS, type TreeSettings } from '../../storage/base/settings.js';
import { autoCompactionOf } from './auto-compaction.js';
import { featureGateNotices } from './feature-gates.js';
import { deriveLimits, limitNotices, MAX_BLOCK_BYTES, type LimitedOptions, type Limits } from './limits.js';
import type { ParsedOptions, Resolved } from './parse.js';
import { UsageError, type OptionValue } from './spec.js';
import { MIN_BLOCK_BYTES } from './table.js';
import type { AccessRules } from '../web/access.js';
import { tlsConfig, type TlsConfig } from './tls.js';
import { accessOf } from './web.js';

export interface NodeConfig {
  readonly name: string;
  readonly dataDir: string;
  readonly memberId: NodeId;
  readonly clusterId: bigint;
  readonly members: readonly MemberConfig[];
  /** What keeps clusters apart whose members are at the same URLs. */
  readonly token: string;
  /** It joins a cluster that is running, unless its directory says that it is a member already. */
  readonly existing: boolean;
  readonly strictReconfig: boolean;
  /** A member that cannot know what it has promised asks by itself to be re-admitted. */
  readonly autoRecover: boolean;
  readonly listenPeerUrls: readonly string[];
  readonly advertisePeerUrl: string;
  readonly listenClientUrls: readonly string[];
  readonly listenMetricsUrls: readonly string[];
  readonly advertiseClientUrls: readonly string[];
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly tls: TlsConfig;
  /** Derived from the others. */
  readonly limits: Limits;
  /** Whether JSON is served over HTTP, and to whom anything is. */
  readonly gateway: boolean;
  readonly access: AccessRules;
  readonly maxConcurrentStreams: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly logSegmentBytes: number;
  readonly cacheBytes: number;
  readonly transferBytesPerSecond: number;
  /** 0: none. */
  readonly quotaBytes: number;
  readonly maxTxnOps: number;
  readonly bcryptCost: number;
  readonly authTokenTtlMs: number;
  /** Undefined: tokens are simple ones. */
  readonly jwt: JwtSettings | undefined;
  /** Undefined: history stays until a client compacts it. */
  readonly autoCompaction: AutoCompactionOptions | undefined;
  /** Between two messages to a quiet watcher that asked how far it is. */
  readonly progressNotifyMs: number;
  readonly settings: TreeSettings;
  readonly logLevel: string;
  readonly logOutputs: readonly string[];
  /** Said once in the log. */
  readonly notices: readonly string[];
}

/**
 * The first 53 bits of SHA-256 over the lines: the same on every member, never 0, exact in a
 * JavaScript number.
 */
export function id53(...lines: readonly string[]): number {
  const hash = createHash('sha256').update(lines.join('\n')).digest();
  return Number(hash.readBigUInt64BE(0) >> 11n) || 1;
}

/** Depends on the token and the member's sorted peer URLs, as in etcd. */
export function memberIdOf(token: string, peerUrls: readonly string[]): NodeId {
  return id53('kintsugi member', token, ...[...peerUrls].sort());
}

/** Depends on the token and all member ids. */
export function clusterIdOf(token: string, members: readonly NodeId[]): bigint {
  return BigInt(id53('kintsugi cluster', token, ...[...members].sort((a, b) => a - b).map(String)));
}

/** `unix`: the path of a socket will do as well. Throws UsageError. */
export function checkUrl(text: string, where: string, unix = false): string {
  if (unix && /^unixs?:\/\/./.test(text)) return text;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(`${where}: ${JSON.stringify(text)} is not a URL such as http://10.0.0.1:2380`);
  }
  if (!/^https?:$/.test(url.protocol)) throw new UsageError(`${where}: the scheme of ${JSON.stringify(text)} is not http or https`);
  const bare = (url.pathname === '' || url.pathname === '/') && url.search === '' && url.hash === '' && url.username === '';
  if (!bare) throw new UsageError(`${where}: ${JSON.stringify(text)} has more than a host and a port`);
  if (!/:\d+\/?$/.test(text)) throw new UsageError(`${where}: ${JSON.stringify(text)} has no port`);
  return text.replace(/\/$/, '');
}

class Values {
  readonly #options: ReadonlyMap<string, Resolved>;

  constructor(options: ReadonlyMap<string, Resolved>) {
    this.#options = options;
  }

  #get(name: string): Resolved {
    return must(this.#options.get(name), `option ${name} exists`);
  }

  isSet(name: string): boolean {
    return this.#get(name).source !== 'default';
  }

  value(name: string): OptionValue {
    return this.#get(name).value;
  }

  text(name: string): string {
    return this.value(name) as string;
  }

  number(name: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const n = this.value(name) as number;
    if (n < min || n > max) throw new UsageError(`--${name}: ${n} is not between ${min} and ${max}`);
    return n;
  }

  urls(name: string, unix = false): readonly string[] {
    return (this.value(name) as readonly string[]).map((url) => checkUrl(url, `--${name}`, unix));
  }
}

/** Either name, as in etcd; the new one counts. */
function progressNotifyOf(values: Values): number {
  const name = 'watch-progress-notify-interval';
  return values.number(values.isSet(name) ? name : `experimental-${name}`, 1);
}

const PAIRS: readonly (readonly [string, string])[] = [
  ['cert-file', 'key-file'], ['peer-cert-file', 'peer-key-file'], ['client-cert-file', 'client-key-file'],
  ['peer-client-cert-file', 'peer-client-key-file'],
];

/**
 * Half a pair first, so that it is named as such; then what is refused; then what has no meaning.
 */
function checkSupport(parsed: ParsedOptions, values: Values): string[] {
  for (const [a, b] of PAIRS) {
    const [hasA, hasB] = [values.text(a) !== '', values.text(b) !== ''];
    if (hasA !== hasB) throw new UsageError(`--${hasA ? a : b} needs --${hasA ? b : a}: either both are set or neither`);
  }
  const notices: string[] = [];
  for (const { spec, value, source } of parsed.options.values()) {
    if (source === 'default') continue;
    const { support } = spec;
    if (support.kind === 'refused' && String(value) !== String(spec.default)) {
      throw new UsageError(`--${spec.name} is refused: ${support.why}`);
    }
    if (support.kind === 'moot') notices.push(`--${spec.name} has no effect: ${support.why}`);
  }
  for (const name of parsed.unknownEnv) notices.push(`environment variable ${name} names no option`);
  return notices;
}

/** `name=url,name=url`: each name and each URL once. */
export function parseCluster(text: string): Map<string, string> {
  const members = new Map<string, string>();
  const urls = new Map<string, string>();
  for (const part of text.split(',').map((p) => p.trim()).filter((p) => p !== '')) {
    const at = part.indexOf('=');
    if (at <= 0) throw new UsageError(`--initial-cluster: ${JSON.stringify(part)} is not name=url`);
    const name = part.slice(0, at);
    const url = checkUrl(part.slice(at + 1), '--initial-cluster');
    if (members.has(name)) throw new UsageError(`--initial-cluster: two members have the name ${JSON.stringify(name)}`);
    const other = urls.get(url);
    if (other !== undefined) throw new UsageError(`--initial-cluster: ${other} and ${name} have the same URL ${url}`);
    members.set(name, url);
    urls.set(url, name);
  }
  return members;
}

/** The members that the flags name, and which of them this one is. */
export interface Cluster {
  readonly members: readonly MemberConfig[];
  readonly self: MemberConfig;
  readonly clusterId: bigint;
}

/** What identities depend on, as flags say it. */
export interface ClusterFlags {
  readonly name: string;
  readonly initialCluster: string;
  readonly token: string;
  /** As this member advertises itself; undefined: as the list says. */
  readonly own?: string;
}

function clusterOfValues(values: Values, name: string): Cluster {
  const advertised = values.urls('initial-advertise-peer-urls');
  const [own] = advertised;
  if (own === undefined || advertised.length > 1) throw new UsageError('--initial-advertise-peer-urls: exactly one URL is wanted');
  const token = values.text('initial-cluster-token');
  return clusterOf({ name, token, own, initialCluster: values.text('initial-cluster') || `${name}=${own}` });
}

/** Throws UsageError. */
export function clusterOf({ name, initialCluster, token, own }: ClusterFlags): Cluster {
  const listed = parseCluster(initialCluster);
  const url = listed.get(name);
  if (url === undefined) {
    throw new UsageError(`--name ${JSON.stringify(name)} is not in --initial-cluster (it has ${[...listed.keys()].join(', ')})`);
  }
  if (own !== undefined && url !== own) {
    throw new UsageError(`--initial-cluster says ${name}=${url}, but --initial-advertise-peer-urls is ${own}: they must be equal`);
  }
  const members = [...listed].map(([member, peerUrl]): MemberConfig => ({
    id: memberIdOf(token, [peerUrl]), name: member, peerUrls: [peerUrl],
  }));
  const self = must(members.find((member) => member.name === name), 'this member is in the cluster');
  return { members, self, clusterId: clusterIdOf(token, members.map((member) => member.id)) };
}

function treeSettings(values: Values): TreeSettings {
  let scheme: EccScheme;
  try {
    scheme = parseScheme(values.text('ecc-scheme'));
  } catch (error) {
    throw new UsageError(`--ecc-scheme: ${messageOf(error).replace(/^CODEC: /, '')}`);
  }
  const { format } = DEFAULT_TREE_SETTINGS;
  const tableBytes = values.number('experimental-table-bytes', 16 * KiB, 1024 * MiB);
  return {
    ...DEFAULT_TREE_SETTINGS,
    format: { ...format, scheme, tableBytes, blockBytes: values.number('block-bytes', MIN_BLOCK_BYTES, MAX_BLOCK_BYTES) },
    memtableBytes: values.number('experimental-memtable-bytes', 16 * KiB, 1024 * MiB),
    // Level 1 holds eight tables' worth whatever a table is.
    level1Bytes: 8 * tableBytes,
  };
}

/** Throws UsageError. */
export function buildConfig(parsed: ParsedOptions): NodeConfig {
  const values = new Values(parsed.options);
  const notices = checkSupport(parsed, values);
  const name = values.text('name');
  if (name === '') throw new UsageError('--name must not be empty');
  const dataDir = resolve(values.text('data-dir') || `${name}.kintsugi`);
  const cluster = clusterOfValues(values, name);
  const listenClientUrls = values.urls('listen-client-urls', true);
  if (listenClientUrls.length === 0) throw new UsageError('--listen-client-urls must not be empty');
  if (values.isSet('listen-client-urls') && !values.isSet('advertise-client-urls')) {
    throw new UsageError('--advertise-client-urls is required when --listen-client-urls is set');
  }
  const listenPeerUrls = values.urls('listen-peer-urls');
  if (listenPeerUrls.length === 0) throw new UsageError('--listen-peer-urls must not be empty');
  const heartbeatMs = values.number('heartbeat-interval', 1, 10_000);
  const electionMs = values.number('election-timeout', 1, 50_000);
  if (electionMs < 5 * heartbeatMs) {
    throw new UsageError(`--election-timeout ${electionMs}ms must be at least 5 times --heartbeat-interval ${heartbeatMs}ms`);
  }
  const settings = treeSettings(values);
  const { format, memtableBytes } = settings;
  const limited: LimitedOptions = {
    electionMs, memtableBytes, blockBytes: format.blockBytes, tableBytes: format.tableBytes,
    maxRequestBytes: values.number('max-request-bytes', KiB),
    logSegmentBytes: values.number('experimental-log-segment-bytes', 64 * KiB, 1024 * MiB),
    cacheBytes: values.number('cache-bytes', MiB),
  };
  const limits = deriveLimits(limited);
  notices.push(...limitNotices(limited), ...featureGateNotices(values.text('feature-gates')));
  checkDataDir(dataDir);
  const listenMetricsUrls = values.urls('listen-metrics-urls');
  const tls = tlsConfig(parsed.options, { client: listenClientUrls, metrics: listenMetricsUrls, peer: listenPeerUrls }, notices);
  return {
    tls, listenMetricsUrls, name, dataDir, notices, limits, settings, heartbeatMs, electionMs, listenPeerUrls, listenClientUrls,
    memberId: cluster.self.id,
    clusterId: cluster.clusterId,
    members: cluster.members,
    token: values.text('initial-cluster-token'),
    advertisePeerUrl: must(cluster.self.peerUrls[0], 'a member has a peer URL'),
    existing: values.text('initial-cluster-state') === 'existing',
    autoRecover: values.value('auto-recover') === true,
    strictReconfig: values.value('strict-reconfig-check') === true,
    advertiseClientUrls: values.urls('advertise-client-urls', true),
    gateway: values.value('enable-grpc-gateway') === true,
    access: accessOf(values.value('cors') as readonly string[], values.value('host-whitelist') as readonly string[]),
    maxConcurrentStreams: values.number('max-concurrent-streams', 1, 0xffff_ffff),
    keepaliveIntervalMs: values.number('grpc-keepalive-interval', 0),
    keepaliveTimeoutMs: values.number('grpc-keepalive-timeout', 0),
    logSegmentBytes: limited.logSegmentBytes,
    cacheBytes: limited.cacheBytes,
    transferBytesPerSecond: values.number('transfer-bytes-per-second', 4 * MiB),
    // Below 0 it is none, as with etcd.
    quotaBytes: Math.max(0, values.number('quota-backend-bytes', -Number.MAX_SAFE_INTEGER)),
    maxTxnOps: values.number('max-txn-ops', 1, MOST_TXN_OPS),
    bcryptCost: values.number('bcrypt-cost', 4, 31),
    jwt: jwtOf(values.text('auth-token')),
    authTokenTtlMs: 1000 * values.number('auth-token-ttl', 1, 1_000_000),
    progressNotifyMs: progressNotifyOf(values),
    autoCompaction: autoCompactionOf(values.text('auto-compaction-mode'), values.text('auto-compaction-retention')),
    logLevel: values.value('debug') === true ? 'debug' : values.text('log-level'),
    logOutputs: values.value('log-outputs') as readonly string[],
  };
}

function checkDataDir(dataDir: string): void {
  if (existsSync(join(dataDir, 'member', 'wal'))) {
    throw new UsageError(`--data-dir: ${dataDir} holds data of etcd, which is not read; choose another directory`);
  }
}
