/**
 * The life of a `kintsugi start` process. Up: log, node, gRPC, ops HTTP. Down, at SIGTERM or
 * SIGINT: not ready, leadership handed over, calls drained, node closed, exit 0. A second signal,
 * or a broken invariant, ends it at once. A member that is to be re-admitted (`--auto-recover`)
 * goes down while the process lives on, and comes up again as who it is then.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import closeWithGrace from 'close-with-grace';
import type { Closeable } from '../base/acquiring.js';
import { Deferred } from '../base/deferred.js';
import { codeOf } from '../base/errors.js';
import type { EventSink } from '../base/events.js';
import { formatId } from '../base/ids.js';
import { logEvents, openLogger, type Logger } from '../observability/log.js';
import { Metrics } from '../observability/metrics.js';
import { RpcStats } from '../observability/rpc-stats.js';
import { statusLine } from '../observability/status-json.js';
import { JOINED_FILE } from '../replica/state/joined.js';
import { explainFatal } from './fatal-advice.js';
import { isOpenedAgain, openNode, type OpenedNode } from './node.js';
import { listenHttp, OpsPages, opsServer } from './ops-http.js';
import type { NodeConfig } from './options/config.js';
import { EventBus } from './env/event-bus.js';
import { giveHeapRoom } from './env/heap.js';
import { swapNotice } from './env/swap.js';
import { nodeClock } from './env/node-env.js';
import { isSecure } from './options/tls.js';
import { clientPort, type ClientServerOptions } from './rpc/client-server.js';
import { JwtTokens } from './auth/jwt.js';
import { Passwords } from './auth/passwords.js';
import { Health } from './rpc/health-service.js';
import { clientMethods } from './rpc/services.js';
import type { ClientPort } from './transport/client-port.js';
import { fixturesOf, PortTls } from './tls/open.js';
import type { ServerTls } from './tls/server-tls.js';
import { listenAddress } from './transport/listen-address.js';

const STATUS_INTERVAL_MS = 60_000;
const DRAIN_MS = 3_000;
const SHUTDOWN_MS = 15_000;

export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

interface Running {
  readonly node: OpenedNode;
  readonly clients: ClientPort;
  readonly metrics: readonly Closeable[];
  readonly tls: PortTls;
  readonly health: Health;
  /** Says now and then how it is. */
  readonly telling: NodeJS.Timeout;
}

/** Resolves when the node serves; the process then lives until it is told to stop. */
export async function runNode(config: NodeConfig): Promise<void> {
  giveHeapRoom();
  // What grpc-js has to say reaches us as errors; its own lines would not be JSON.
  setLogVerbosity(logVerbosity.NONE);
  const logger = openLogger(config.logLevel, config.logOutputs, { node: config.name });
  const version = packageVersion();
  logger.info({
    version, ...(config.existing ? { joins: true } : idsOf(config)), dataDir: config.dataDir,
    members: config.members.map((member) => `${member.name}=${member.peerUrls[0]}`), pid: process.pid,
  }, 'starting');
  for (const notice of config.notices) logger.warn({ notice }, 'option without effect');
  const swap = swapNotice();
  if (swap !== undefined) logger.warn({ notice: swap }, 'swap is on');
  // Without a listener Node opens a port for a debugger, to anybody on this machine.
  process.on('SIGUSR1', () => logger.warn('SIGUSR1 means nothing here'));
  let running: Running | undefined;
  const serve = async (): Promise<void> => {
    const ended = new Deferred<unknown>();
    running = await start(config, logger, version, ended);
    ended.promise.then(again).catch(cannotStart);
  };
  /** R5 All that knew it under its old id goes with it. */
  const again = async (err: unknown): Promise<void> => {
    logger.warn({ err, code: codeOf(err) }, 'the member ends here, and is opened again to be re-admitted');
    const gone = running;
    running = undefined;
    if (gone !== undefined) await close(gone);
    await serve();
  };
  const cannotStart = (error: unknown): never => {
    logger.fatal({ err: error, code: codeOf(error) }, 'cannot start');
    process.stderr.write(explainFatal(error));
    process.exit(1);
  };
  closeWithGrace({ delay: SHUTDOWN_MS, logger: false }, async ({ signal, err }) => {
    if (err !== undefined) {
      logger.fatal({ err }, 'the process must end');
      process.exit(1);
    }
    logger.info({ signal }, 'stopping');
    if (running !== undefined) await shutDown(running, logger);
    logger.info('stopped');
  });
  await serve().catch(cannotStart);
}

/** Those of the flags, unless the directory says others: they are told when it serves. */
function idsOf({ dataDir, memberId, clusterId }: NodeConfig): object {
  return existsSync(join(dataDir, JOINED_FILE)) ? {} : { memberId: formatId(memberId), clusterId: clusterId.toString(16) };
}

/** `ended` is told if the member is to be opened again. */
async function start(config: NodeConfig, logger: Logger, version: string, ended: Deferred<unknown>): Promise<Running> {
  const metrics = new Metrics();
  const events = [metrics, logEvents(logger, () => performance.now())];
  const bus = new EventBus(events);
  const tls = await clientTls(config, bus);
  const node = await openNode(config, {
    events,
    onFatal: (error) => {
      if (isOpenedAgain(error)) return ended.resolve(error);
      logger.fatal({ err: error, code: codeOf(error) }, 'the node cannot go on');
      process.stderr.write(explainFatal(error));
      process.exit(1);
    },
  });
  const { store } = node;
  const stats = new RpcStats();
  metrics.attach(store, stats);
  const health = new Health();
  const ops = new OpsPages({ store, metrics, health, dataDir: config.dataDir, version });
  const jwt = config.jwt === undefined ? undefined : new JwtTokens(config.jwt, nodeClock);
  const options: ClientServerOptions = {
    maxReceiveBytes: config.limits.received,
    maxConcurrentStreams: config.maxConcurrentStreams,
    keepaliveIntervalMs: config.keepaliveIntervalMs,
    keepaliveTimeoutMs: config.keepaliveTimeoutMs,
    store,
    jwt,
    stats,
    events: bus,
  };
  const methods = clientMethods(store, health, { maxRequestBytes: config.limits.request }, new Passwords(config.bcryptCost), jwt);
  const clients = clientPort(methods, { ...options, site: { pages: ops, store, gateway: config.gateway, access: config.access } });
  for (const url of config.listenClientUrls) await clients.listen(listenAddress(url), isSecure(url) ? tls.server : undefined);
  const http = await startMetrics(config.listenMetricsUrls, ops, tls.server, options);
  logger.info({
    memberId: formatId(store.memberId), clusterId: store.clusterId.toString(16),
    clientUrls: config.listenClientUrls, peerUrls: config.listenPeerUrls, metricsUrls: config.listenMetricsUrls,
  }, 'serving');
  const telling = setInterval(() => logger.info(statusLine(store.status()), 'status'), STATUS_INTERVAL_MS).unref();
  return { node, clients, metrics: http, health, tls, telling };
}

/** Clients are shown a certificate also where they only ask for metrics, as by etcd. */
function clientTls(config: NodeConfig, events: EventSink): Promise<PortTls> {
  const { tls, dataDir } = config;
  const urls = [...config.listenClientUrls, ...config.advertiseClientUrls, ...config.listenMetricsUrls];
  const own = tls.auto.client ? { dir: fixturesOf(dataDir, 'client'), urls, days: tls.auto.days } : undefined;
  return PortTls.open({ settings: tls.client, own, clock: nodeClock, events });
}

async function startMetrics(
  urls: readonly string[], pages: OpsPages, tls: ServerTls, options: ClientServerOptions,
): Promise<Closeable[]> {
  const servers: Closeable[] = [];
  for (const url of urls) {
    const http1 = opsServer(pages);
    if (isSecure(url)) {
      const port = clientPort(new Map(), { ...options, http1 });
      // Pages are HTTP/1.1: whoever could speak HTTP/2 as well must not choose it.
      await port.listen(listenAddress(url), tls, ['http/1.1']);
      servers.push(port);
      continue;
    }
    const { hostname, port } = new URL(url);
    await listenHttp(http1, hostname, Number(port === '' ? 80 : port));
    servers.push({
      close: () => {
        http1.close();
        http1.closeAllConnections();
      },
    });
  }
  return servers;
}

async function shutDown(running: Running, logger: Logger): Promise<void> {
  running.health.setServing(false);
  await transferLeadership(running.node, logger);
  await close(running);
}

async function close({ node, clients, metrics, health, tls, telling }: Running): Promise<void> {
  health.setServing(false);
  clearInterval(telling);
  await clients.drain(DRAIN_MS);
  await node.stop();
  for (const server of metrics) await server.close();
  tls.close();
}

async function transferLeadership(node: OpenedNode, logger: Logger): Promise<void> {
  const { store } = node;
  if (store.leader !== store.memberId) return;
  try {
    if (await node.transferLeadership()) logger.info({ to: formatId(store.leader) }, 'leadership handed over');
    else logger.warn('no member took leadership: the others elect one when this one is gone');
  } catch (err) {
    // What stands in the way of it must not stand in the way of an orderly end.
    logger.warn({ err }, 'leadership could not be handed over');
  }
}
