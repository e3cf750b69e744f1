/**
 * Health, metrics and status over plain HTTP, from local state: of use when there is no quorum.
 * /livez never hangs on the other members; /readyz does; lost redundancy makes neither fail, it is
 * for /status and the alerts.
 *
 * Anybody may ask, as often as they like, and need not read the answer: pages that cost something
 * are made once for all who ask, in slices, and who does not read makes room for who does.
 */

import { accessSync, constants } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setImmediate as immediate } from 'node:timers/promises';
import { KiB } from '../base/bytes.js';
import { messageOf } from '../base/errors.js';
import type { Metrics } from '../observability/metrics.js';
import { jsonPieces, toJson } from '../observability/status-json.js';
import type { Store } from '../node/store.js';
import type { Pair } from '../http2/hpack/header-list.js';
import { nodeClock } from './env/node-env.js';
import { PageReaders } from './page-readers.js';
import type { Exchange } from './web/exchange.js';
import { Http1Exchange } from './web/http1-exchange.js';
import { answersHalfClosed, pace } from './web/paced-socket.js';
import type { Pages } from './web/site.js';
import { ETCD_VERSION } from './rpc/cluster-service.js';
import type { Health } from './rpc/health-service.js';
import { SharedPage } from './shared-page.js';

/** Committed entries that may wait for apply before a node counts as behind. */
const MAX_APPLY_LAG = 5_000;
const LINEARIZABLE_TIMEOUT_MS = 2_000;

/** What the pages show. */
export interface OpsSubject {
  readonly store: Store;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly dataDir: string;
  readonly version: string;
}

type Check = readonly [name: string, run: () => Promise<void>];

/** access() tells a read-only or vanished directory without writing at every probe. */
async function checkDisk(dataDir: string): Promise<void> {
  accessSync(dataDir, constants.W_OK);
}

function liveChecks(subject: OpsSubject): Check[] {
  // That this runs at all says that the loop turns.
  return [['loop', () => Promise.resolve()], ['disk', () => checkDisk(subject.dataDir)]];
}

function readyChecks(subject: OpsSubject): Check[] {
  const { store } = subject;
  const must = (ok: boolean, why: string): Promise<void> => (ok ? Promise.resolve() : Promise.reject(new Error(why)));
  return [
    ['draining', () => must(subject.health.serving, 'the node is shutting down')],
    ['leader', () => must(store.hasLeader, 'no leader is known')],
    ['read_index', () => store.checkLinearizable(LINEARIZABLE_TIMEOUT_MS)],
    ['apply_lag', () => {
      const { commitIndex, appliedIndex } = store.status();
      return must(commitIndex - appliedIndex <= MAX_APPLY_LAG, `${commitIndex - appliedIndex} entries are not applied`);
    }],
  ];
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  /** More of its head. */
  readonly headers?: readonly Pair[];
}

const JSON_TYPE = 'application/json';
const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body: Buffer.from(body) });
const json = (status: number, value: unknown): Answer => ({ status, type: JSON_TYPE, body: Buffer.from(`${toJson(value)}\n`) });

async function runChecks(checks: readonly Check[], query: URLSearchParams): Promise<Answer> {
  const excluded = new Set(query.getAll('exclude'));
  const results = await Promise.all(checks.filter(([name]) => !excluded.has(name)).map(async ([name, run]) => {
    try {
      await run();
      return { ok: true, line: `[+]${name} ok` };
    } catch (error) {
      return { ok: false, line: `[-]${name} failed: ${messageOf(error)}` };
    }
  }));
  const ok = results.every((result) => result.ok);
  const lines = results.map((result) => result.line).join('\n');
  if (!ok) return text(503, `${lines}\nnot ok\n`);
  return text(200, query.has('verbose') ? `${lines}\nok\n` : 'ok\n');
}

/** etcd's shape. */
async function health(subject: OpsSubject, query: URLSearchParams): Promise<Answer> {
  try {
    const excluded = new Set(query.getAll('exclude'));
    const alarm = subject.store.activeAlarms().find(({ type }) => !excluded.has(type));
    if (alarm !== undefined) throw new Error(`ALARM ${alarm.type}`);
    if (!subject.store.hasLeader) throw new Error('RAFT NO LEADER');
    if (query.get('serializable') !== 'true') await subject.store.checkLinearizable(LINEARIZABLE_TIMEOUT_MS);
    return json(200, { health: 'true', reason: '' });
  } catch (error) {
    return json(503, { health: 'false', reason: messageOf(error) });
  }
}

/** Prometheus asks every few seconds; a page costs milliseconds. */
const METRICS_FRESH_MS = 1_000;
/** Of /status, made between two turns of the loop. */
const SLICE_CHARS = 32 * KiB;
/** A connection on which nothing moves for so long is closed. */
const IDLE_MS = 30_000;
/** Of one server that listens by itself. */
const MAX_CONNECTIONS = 256;

async function statusPage(store: Store): Promise<string> {
  const pieces: string[] = [];
  let slice = 0;
  for (const piece of jsonPieces(store.status())) {
    pieces.push(piece);
    slice += piece.length;
    if (slice < SLICE_CHARS) continue;
    slice = 0;
    await immediate();
  }
  return `${pieces.join('')}\n`;
}

/** What is served of one node, however many servers serve it. */
export class OpsPages implements Pages {
  readonly subject: OpsSubject;
  readonly readers: PageReaders;
  readonly metrics: SharedPage;
  readonly status: SharedPage;

  constructor(subject: OpsSubject, readers = new PageReaders()) {
    const { metrics, store } = subject;
    this.subject = subject;
    this.readers = readers;
    this.metrics = new SharedPage(nodeClock, METRICS_FRESH_MS, () => metrics.page());
    this.status = new SharedPage(nodeClock, 0, () => statusPage(store));
  }

  /** One page, or the word that there is none. */
  serve(exchange: Exchange): void {
    const { readers } = this;
    if (!readers.admit(exchange)) return;
    answer(this, exchange)
      .catch((error: unknown) => text(500, `${messageOf(error)}\n`))
      .then(({ status, type, body, headers = [] }) => {
        readers.answered(exchange, exchange.method === 'HEAD' ? 0 : body.length);
        exchange.answer(status, [['content-type', type], ['cache-control', 'no-store'], ...headers], body);
      }, () => exchange.abort());
  }
}

const PAGES: Readonly<Record<string, (pages: OpsPages, query: URLSearchParams) => Promise<Answer>>> = {
  '/livez': ({ subject }, query) => runChecks(liveChecks(subject), query),
  '/readyz': ({ subject }, query) => runChecks(readyChecks(subject), query),
  '/health': ({ subject }, query) => health(subject, query),
  '/status': async ({ status }) => ({ status: 200, type: JSON_TYPE, body: await status.get() }),
  '/version': async ({ subject }) => json(200, {
    etcdserver: ETCD_VERSION, etcdcluster: ETCD_VERSION, storage: String(subject.store.status().storageVersion), kintsugi: subject.version,
  }),
  '/metrics': async ({ subject, metrics }) => ({ status: 200, type: subject.metrics.registry.contentType, body: await metrics.get() }),
};

/** Asked for by any method, as etcd's. */
const ANY_METHOD = '/metrics';

async function answer(pages: OpsPages, { method, target }: Exchange): Promise<Answer> {
  const [path = '', query = ''] = target.split('?', 2);
  const page = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined;
  if (page === undefined) return text(404, `not found; there are ${Object.keys(PAGES).join(' ')}\n`);
  if (method !== 'GET' && method !== 'HEAD' && path !== ANY_METHOD) {
    return { ...text(405, 'Method Not Allowed\n'), headers: [['allow', 'GET, HEAD']] };
  }
  return page(pages, new URLSearchParams(query));
}

export function opsServer(pages: OpsPages): Server {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    pages.serve(new Http1Exchange(request, response));
  });
  answersHalfClosed(server);
  server.timeout = IDLE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  return pace(server);
}

/** Resolves to the port. */
export function listenHttp(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
