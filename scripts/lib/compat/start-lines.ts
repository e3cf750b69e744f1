/**
 * Ways to start an etcd, as its documentation, its Procfile and kubeadm have them: flags, with one
 * dash or two, the environment, a configuration file; in the words of 3.4 and of 3.7; with TLS
 * and auth. Each starts etcd and ours alike, but for the name of the program.
 */

export interface StartMember {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
  readonly metrics: string;
}

export interface Place {
  readonly members: readonly StartMember[];
  /** Files of certificates and keys. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** What `--auth-token` says of each method of signing, with keys for it. */
  readonly signed: Readonly<Record<SignMethod, string>>;
}

export const SIGN_METHODS = ['RS256', 'PS384', 'ES256', 'EdDSA', 'HS256'] as const;
export type SignMethod = (typeof SIGN_METHODS)[number];

export interface Start {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Of the configuration file, whose path is `etcd.conf.yml`. */
  readonly file?: string;
}

export interface StartLine {
  readonly name: string;
  readonly size?: 3;
  /** Of clients; `mutual`: they show a certificate, too; `auto`: any certificate will do. */
  readonly tls?: 'server' | 'mutual' | 'auto';
  /** Of members with each other. */
  readonly peerTls?: boolean;
  readonly auth?: boolean;
  /** Tokens of either are good at the other. */
  readonly signed?: boolean;
  /** Versions that know these words; default: all. Ours knows them all. */
  readonly etcd?: RegExp;
  start(place: Place, self: StartMember): Start;
}

const cluster = ({ members }: Place): string => members.map(({ name, peer }) => `${name}=${peer}`).join(',');
/** Of the documentation of static clusters, in its order. */
const bootstrap = (place: Place, { name, client, peer }: StartMember): string[] => [
  '--name', name, '--initial-advertise-peer-urls', peer, '--listen-peer-urls', peer, '--listen-client-urls', client, '--advertise-client-urls', client,
  '--initial-cluster-token', 'etcd-cluster-1', '--initial-cluster', cluster(place), '--initial-cluster-state', 'new',
];
const environment = (place: Place, { name, client, peer }: StartMember): Record<string, string> => ({
  ETCD_NAME: name, ETCD_DATA_DIR: `${name}.etcd`, ETCD_LISTEN_CLIENT_URLS: client, ETCD_ADVERTISE_CLIENT_URLS: client, ETCD_LISTEN_PEER_URLS: peer,
  ETCD_INITIAL_ADVERTISE_PEER_URLS: peer, ETCD_INITIAL_CLUSTER: cluster(place), ETCD_INITIAL_CLUSTER_STATE: 'new', ETCD_INITIAL_CLUSTER_TOKEN: 'tkn',
});
const sample = (place: Place, { name, client, peer }: StartMember): string => `
# This is the configuration file for the etcd server.
name: '${name}'
data-dir: ${name}.etcd
wal-dir:
snapshot-count: 10000
heartbeat-interval: 100
election-timeout: 1000
quota-backend-bytes: 0
listen-peer-urls: ${peer}
listen-client-urls: ${client}
max-snapshots: 5
max-wals: 5
cors:
initial-advertise-peer-urls: ${peer}
advertise-client-urls: ${client}
discovery:
initial-cluster: ${cluster(place)}
initial-cluster-token: 'etcd-cluster'
initial-cluster-state: 'new'
strict-reconfig-check: false
enable-pprof: true
`;
const serverTls = ({ cert, key }: Place): string[] => [`--cert-file=${cert}`, `--key-file=${key}`];
const peerTls = ({ ca, cert, key }: Place): string[] => [
  '--peer-client-cert-auth', `--peer-trusted-ca-file=${ca}`, `--peer-cert-file=${cert}`, `--peer-key-file=${key}`,
];
const kubeadm = ({ ca, cert, key }: Place, { name, client, peer, metrics }: StartMember): string[] => [
  `--advertise-client-urls=${client}`, `--cert-file=${cert}`, '--client-cert-auth=true', `--data-dir=${name}`, `--initial-advertise-peer-urls=${peer}`,
  `--initial-cluster=${name}=${peer}`, `--key-file=${key}`, `--listen-client-urls=${client}`, `--listen-metrics-urls=${metrics}`,
  `--listen-peer-urls=${peer}`, `--name=${name}`, `--peer-cert-file=${cert}`, '--peer-client-cert-auth=true', `--peer-key-file=${key}`,
  `--peer-trusted-ca-file=${ca}`, '--snapshot-count=10000', `--trusted-ca-file=${ca}`,
];

const PLAIN: readonly StartLine[] = [
  {
    name: 'URLs, and nothing else',
    start: (_place, { client, peer }) => ({
      args: [
        '--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
        '--initial-cluster', `default=${peer}`,
      ],
    }),
  },
  { name: 'a static cluster of one', start: (place, self) => ({ args: bootstrap(place, self) }) },
  {
    name: 'the Procfile: three, with zap and pprof', size: 3,
    start: (place, self) => ({ args: [...bootstrap(place, self), '--enable-pprof', '--logger=zap', '--log-outputs=stderr'] }),
  },
  { name: 'one dash, as Go takes it', start: (place, self) => ({ args: bootstrap(place, self).map((word) => word.replace(/^--/, '-')) }) },
  { name: 'the environment alone', start: (place, self) => ({ env: environment(place, self) }) },
  {
    name: 'some by flags, the rest by the environment',
    start: (place, self) => {
      const { ETCD_LISTEN_CLIENT_URLS: urls = '', ETCD_NAME: name = '', ...env } = environment(place, self);
      return { env, args: ['--listen-client-urls', urls, '--name', name] };
    },
  },
  { name: 'a configuration file', start: (place, self) => ({ args: ['--config-file', 'etcd.conf.yml'], file: sample(place, self) }) },
  {
    name: 'a configuration file that the environment names',
    start: (place, self) => ({ env: { ETCD_CONFIG_FILE: 'etcd.conf.yml' }, file: `${sample(place, self)}logger: zap\nlog-outputs: [stderr]\nlog-level: info\n` }),
  },
  {
    name: 'the sample file of 3.4', etcd: /^3\.[45]\./,
    start: (place, self) => ({
      args: ['--config-file=etcd.conf.yml'],
      file: `${sample(place, self)}discovery-fallback: 'proxy'\ndiscovery-proxy:\ndiscovery-srv:\nenable-v2: false\nproxy: 'off'\nproxy-failure-wait: 5000\n`
        + 'proxy-refresh-interval: 30000\nproxy-dial-timeout: 1000\nproxy-write-timeout: 5000\nproxy-read-timeout: 0\ndebug: false\nlog-outputs: [stderr]\nforce-new-cluster: false\n',
    }),
  },
  {
    name: 'history and limits',
    start: (place, self) => ({
      args: [
        ...bootstrap(place, self), '--auto-compaction-mode=revision', '--auto-compaction-retention=1000', '--quota-backend-bytes=8589934592', '--snapshot-count=5000',
        '--max-request-bytes', '33554432', '--heartbeat-interval=100', '--election-timeout=1000', '--max-snapshots=3', '--max-wals=3',
      ],
    }),
  },
  {
    name: 'gateway, keep-alive and metrics',
    start: (place, self) => ({
      args: [
        ...bootstrap(place, self), '--enable-grpc-gateway', '--cors=*', '--host-whitelist=*', '--grpc-keepalive-min-time=5s', '--grpc-keepalive-interval=2h',
        '--grpc-keepalive-timeout=20s', `--listen-metrics-urls=${self.metrics}`, '--metrics=extensive', '--strict-reconfig-check', '--pre-vote=true',
      ],
    }),
  },
  {
    name: 'experimental flags of 3.4', etcd: /^3\.[45]\./,
    start: (place, self) => ({
      args: [
        ...bootstrap(place, self), '--enable-v2=false', '--experimental-initial-corrupt-check', '--experimental-corrupt-check-time=1m',
        '--experimental-compaction-batch-limit=1000', '--experimental-watch-progress-notify-interval=10m',
      ],
    }),
  },
  {
    name: 'the same as 3.7 spells them', etcd: /^3\.[7-9]\./,
    start: (place, self) => ({
      args: [
        ...bootstrap(place, self), '--feature-gates=InitialCorruptCheck=true', '--corrupt-check-time=1m', '--compaction-batch-limit=1000',
        '--watch-progress-notify-interval=10m', '--warning-apply-duration=100ms',
      ],
    }),
  },
];

const SECURE: readonly StartLine[] = [
  { name: 'TLS for clients', tls: 'server', start: (place, self) => ({ args: [...bootstrap(place, self), ...serverTls(place)] }) },
  {
    name: 'certificates of clients', tls: 'mutual',
    start: (place, self) => ({ args: [...bootstrap(place, self), ...serverTls(place), '--client-cert-auth', '--trusted-ca-file', place.ca] }),
  },
  {
    name: 'mutual TLS everywhere, three members', tls: 'mutual', peerTls: true, size: 3,
    start: (place, self) => ({ args: [...bootstrap(place, self), ...serverTls(place), '--client-cert-auth', `--trusted-ca-file=${place.ca}`, ...peerTls(place)] }),
  },
  { name: 'certificates that it makes for itself', tls: 'auto', peerTls: true, start: (place, self) => ({ args: [...bootstrap(place, self), '--auto-tls', '--peer-auto-tls'] }) },
  {
    name: 'TLS by the environment', tls: 'mutual', peerTls: true,
    start: (place, self) => ({
      env: {
        ...environment(place, self), ETCD_CERT_FILE: place.cert, ETCD_KEY_FILE: place.key, ETCD_CLIENT_CERT_AUTH: 'true', ETCD_TRUSTED_CA_FILE: place.ca,
        ETCD_PEER_CERT_FILE: place.cert, ETCD_PEER_KEY_FILE: place.key, ETCD_PEER_CLIENT_CERT_AUTH: 'true', ETCD_PEER_TRUSTED_CA_FILE: place.ca,
      },
    }),
  },
  {
    name: 'TLS by a configuration file', tls: 'mutual', peerTls: true,
    start: (place, self) => {
      const of = `  cert-file: ${place.cert}\n  key-file: ${place.key}\n  client-cert-auth: true\n  trusted-ca-file: ${place.ca}\n  auto-tls: false\n`;
      return { args: ['--config-file', 'etcd.conf.yml'], file: `${sample(place, self)}client-transport-security:\n${of}peer-transport-security:\n${of}` };
    },
  },
  {
    name: "kubeadm's static pod of before 3.6", tls: 'mutual', peerTls: true, etcd: /^3\.[45]\./,
    start: (place, self) => ({ args: [...kubeadm(place, self), '--experimental-initial-corrupt-check=true', '--experimental-watch-progress-notify-interval=5s'] }),
  },
  {
    name: "kubeadm's static pod of today", tls: 'mutual', peerTls: true, etcd: /^3\.[7-9]\./,
    start: (place, self) => ({ args: [...kubeadm(place, self), '--feature-gates=InitialCorruptCheck=true', '--watch-progress-notify-interval=5s'] }),
  },
  {
    name: 'TLS of 1.2 with chosen ciphers', tls: 'server',
    start: (place, self) => ({ args: [...bootstrap(place, self), ...serverTls(place), '--cipher-suites', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] }),
  },
];

const AUTH: readonly StartLine[] = [
  { name: 'auth with simple tokens', auth: true, start: (place, self) => ({ args: [...bootstrap(place, self), '--auth-token=simple', '--bcrypt-cost=4'] }) },
  ...SIGN_METHODS.map((method): StartLine => ({
    name: `auth with tokens signed by ${method}, over TLS`, auth: true, signed: true, tls: 'server', ...(method === 'EdDSA' ? { etcd: /^3\.[6-9]\./ } : {}),
    start: (place, self) => ({ args: [...bootstrap(place, self), ...serverTls(place), '--bcrypt-cost=4', '--auth-token', place.signed[method]] }),
  })),
  {
    name: 'auth, and certificates that make nobody a user', auth: true, tls: 'mutual',
    start: (place, self) => ({ args: [...bootstrap(place, self), ...serverTls(place), '--bcrypt-cost=4', '--trusted-ca-file', place.ca] }),
  },
  {
    name: 'auth with signed tokens, by a configuration file', auth: true, signed: true,
    start: (place, self) => ({
      args: ['--config-file', 'etcd.conf.yml'], file: `${sample(place, self)}auth-token: '${place.signed.RS256}'\nbcrypt-cost: 4\n`,
    }),
  },
];

export const START_LINES: readonly StartLine[] = [...PLAIN, ...SECURE, ...AUTH];
