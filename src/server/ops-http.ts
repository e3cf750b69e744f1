/**
 * Health, metrics and status over plain HTTP, from local state: of use when there is no quorum.
 * /livez never hangs on the other members; /readyz does (`health-checks.ts`); lost redundancy makes
 * neither fail, it is for /status and the alerts.
 *
 * Anybody may ask, as often as they like, and need not read the answer: pages that cost something
 * are made once for all who ask, in slices, and who does not read makes room for who does.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setImmediate as immediate } from 'node:timers/promises';
import { KiB } from '../base/bytes.js';
import { ETCD_VERSION } from '../api/etcd-version.js';
import { messageOf } from '../base/errors.js';
import { jsonPieces, toJson } from '../observability/status-json.js';
import type { Store } from '../node/store.js';
import type { Pair } from '../http2/hpack/header-list.js';
import { nodeClock } from './env/node-env.js';
import { readHere, readLatest, runChecks, wordsOf, type CheckedNode, type CheckedPage } from './health-checks.js';
import { PageReaders } from './page-readers.js';
import type { Exchange } from './web/exchange.js';
import { Http1Exchange } from './web/http1-exchange.js';
import { answersHalfClosed, pace } from './web/paced-socket.js';
import type { Pages } from './web/site.js';
import { SharedPage } from './shared-page.js';

/** What the pages show. */
export interface OpsSubject extends CheckedNode {
  readonly version: string;
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

/** A page of checks, or one of them by its name. */
async function checked(
  page: CheckedPage, only: string | undefined, subject: OpsSubject, query: URLSearchParams,
): Promise<Answer | undefined> {
  const result = await runChecks(page, only, subject, query);
  return result && { ...text(result.ok ? 200 : 503, result.text), headers: [['x-content-type-options', 'nosniff']] };
}

/** etcd's shape. */
async function health({ store, metrics }: OpsSubject, query: URLSearchParams): Promise<Answer> {
  const reason = await whyUnhealthy(store, query);
  metrics.emit({ type: 'health-checked', page: 'health', check: '', ok: reason === '' });
  return json(reason === '' ? 200 : 503, { health: String(reason === ''), reason });
}

/** Serializable is what this member alone can answer for: no leader is asked for then. */
async function whyUnhealthy(store: Store, query: URLSearchParams): Promise<string> {
  const excluded = new Set(query.getAll('exclude'));
  const alarm = store.activeAlarms().find(({ type }) => !excluded.has(type));
  if (alarm !== undefined) return `ALARM ${alarm.type}`;
  const serializable = query.get('serializable') === 'true';
  if (!serializable && !store.hasLeader) return 'RAFT NO LEADER';
  const read = serializable ? readHere(store) : readLatest(store);
  return read.then(() => '', (error: unknown) => `RANGE ERROR:${wordsOf(error)}`);
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

/** Undefined: there is no such page. */
type Page = (pages: OpsPages, query: URLSearchParams) => Promise<Answer | undefined>;

const PAGES: Readonly<Record<string, Page>> = {
  '/livez': ({ subject }, query) => checked('livez', undefined, subject, query),
  '/readyz': ({ subject }, query) => checked('readyz', undefined, subject, query),
  '/health': ({ subject }, query) => health(subject, query),
  '/status': async ({ status }) => ({ status: 200, type: JSON_TYPE, body: await status.get() }),
  '/version': async ({ subject }) => json(200, {
    etcdserver: ETCD_VERSION, etcdcluster: ETCD_VERSION, storage: String(subject.store.status().storageVersion), kintsugi: subject.version,
  }),
  '/metrics': async ({ subject, metrics }) => ({ status: 200, type: subject.metrics.registry.contentType, body: await metrics.get() }),
};

/** Each check of a page has one of its own, as etcd's. */
const ONE_CHECK = /^\/(livez|readyz)\/([a-z_]+)$/;
const oneCheck = (kind: CheckedPage, name: string | undefined): Page => ({ subject }, query) => checked(kind, name, subject, query);

/** Asked for by any method, as etcd's. */
const ANY_METHOD = '/metrics';

async function answer(pages: OpsPages, { method, target }: Exchange): Promise<Answer> {
  const [path = '', query = ''] = target.split('?', 2);
  const [, kind, name] = ONE_CHECK.exec(path) ?? [];
  const page = kind !== undefined ? oneCheck(kind as CheckedPage, name) : Object.hasOwn(PAGES, path) ? PAGES[path] : undefined;
  if (page === undefined) return notFound();
  if (method !== 'GET' && method !== 'HEAD' && path !== ANY_METHOD) {
    return { ...text(405, 'Method Not Allowed\n'), headers: [['allow', 'GET, HEAD']] };
  }
  return (await page(pages, new URLSearchParams(query))) ?? notFound();
}

const notFound = (): Answer => text(404, `not found; there are ${Object.keys(PAGES).join(' ')}\n`);

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
