/**
 * The client port put together: a table of methods under gRPC, HTTP/2 and sockets. Message sizes
 * are checked with etcd's words, by the transport for the bytes that arrive and by each method for
 * what it writes.
 */

import type { Server as HttpServer } from 'node:http';
import { KiB, MiB } from '../../base/bytes.js';
import type { EventSink } from '../../base/events.js';
import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import type { CallGuard, ErrorMapper } from '../../grpc/hooks.js';
import { Code } from '../../grpc/code.js';
import type { GrpcLimits } from '../../grpc/limits.js';
import type { ServerCall, MethodTable } from '../../grpc/method.js';
import { GrpcServer } from '../../grpc/server.js';
import type { RpcStatus } from '../../grpc/status.js';
import { DEFAULT_HTTP2_LIMITS } from '../../http2/limits.js';
import type { Store } from '../../node/store.js';
import type { RpcStats } from '../../observability/rpc-stats.js';
import { nodeClock, NodeWorkers } from '../env/node-env.js';
import { Gateway } from '../gateway/gateway.js';
import { ClientPort } from '../transport/client-port.js';
import { maxConnections } from '../transport/descriptor-limit.js';
import { ZlibInflater } from '../transport/inflater.js';
import { Access, ALL_WELCOME, type AccessRules } from '../web/access.js';
import { siteServer } from '../web/http1-server.js';
import { Http2Door } from '../web/http2-door.js';
import { Site, type Pages } from '../web/site.js';
import type { JwtTokens } from '../auth/jwt.js';
import { readCaller } from './caller-of.js';
import { statusOf } from './status.js';

export interface ClientServerOptions {
  /** A larger request is refused before it is parsed. etcd: `--max-request-bytes` + 512 KiB. */
  readonly maxReceiveBytes: number;
  readonly maxConcurrentStreams: number;
  /** Pings to idle clients; 0 turns them off. Pings of clients are answered. */
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Calls with the metadata `hasleader: true` are refused while it knows no leader. */
  readonly store: Pick<Store, 'hasLeader'>;
  /** Undefined: tokens are simple ones, which the store knows. */
  readonly jwt?: JwtTokens | undefined;
  readonly stats: RpcStats;
  readonly events: EventSink;
  /** What is served over HTTP on the same port beside gRPC. */
  readonly site?: SiteOptions;
  /** Instead of a site: serves HTTP/1.1; it listens nowhere itself. */
  readonly http1?: HttpServer;
  /**
   * Bytes of large answers that callers may leave unread, over all calls; of all answers twice as
   * many. Default 512 MiB.
   */
  readonly maxUnreadBytes?: number;
  /** The same of answers of any size, for one connection. Default 128 MiB. */
  readonly maxUnreadOfConnection?: number;
  /** Milliseconds in which a client has to take something of what it is sent. Default 60,000. */
  readonly stalledMs?: number;
  /** Milliseconds in which a request has to arrive whole. Default 60,000. */
  readonly receiveMs?: number;
  /** Default: what the process's descriptors allow. */
  readonly maxConnections?: number;
}

export interface SiteOptions {
  readonly pages: Pages;
  readonly store: Pick<Store, 'access'>;
  /** Whether there is a JSON gateway. */
  readonly gateway: boolean;
  /** Default: whoever asks. */
  readonly access?: AccessRules;
}

const MAX_UNREAD_BYTES = 512 * MiB;
const MAX_UNREAD_OF_CONNECTION = 128 * MiB;
/** Of requests that have come in part, over all calls. */
const MAX_UNFINISHED_BYTES = 256 * MiB;
/** A request that takes longer to arrive is given up. */
const RECEIVE_MS = 60_000;

/** It listens nowhere yet: see {@link ClientPort.listen}. */
export function clientPort(methods: MethodTable, options: ClientServerOptions): ClientPort {
  const limits = {
    maxReceiveBytes: options.maxReceiveBytes,
    maxUnfinishedBytes: Math.max(MAX_UNFINISHED_BYTES, 4 * options.maxReceiveBytes),
    receiveMs: options.receiveMs ?? RECEIVE_MS,
    maxUnreadBytes: options.maxUnreadBytes ?? MAX_UNREAD_BYTES,
    maxUnreadOfConnection: options.maxUnreadOfConnection ?? MAX_UNREAD_OF_CONNECTION,
  };
  const handler = new GrpcServer({
    methods,
    guard: new ClientGuard(options.store, options.jwt),
    errors: new StatusTable(),
    stats: options.stats,
    inflater: new ZlibInflater(),
    clock: nodeClock,
    limits,
  });
  const site = options.site === undefined ? undefined : siteOf(options.site, methods, handler, limits);
  const { maxConcurrentStreams, keepaliveIntervalMs, keepaliveTimeoutMs } = options;
  const http1 = site === undefined ? options.http1 : siteServer(site);
  // A server that does not listen itself keeps no other time of its connections.
  if (http1 !== undefined && http1.timeout === 0) http1.timeout = RECEIVE_MS;
  return new ClientPort({
    handler,
    secureHandler: site === undefined ? handler : new Http2Door(handler, site),
    limits: {
      ...DEFAULT_HTTP2_LIMITS,
      maxConcurrentStreams: Math.min(maxConcurrentStreams, MAX_STREAMS),
      keepaliveMs: keepaliveIntervalMs,
      keepaliveTimeoutMs,
      maxUnsentBytes: 256 * KiB,
      stalledMs: options.stalledMs ?? DEFAULT_HTTP2_LIMITS.stalledMs,
    },
    clock: nodeClock,
    events: options.events,
    http1,
    maxConnections: options.maxConnections ?? maxConnections(),
  });
}

/** All gateways of the process share its turns. */
const workers = new NodeWorkers();

function siteOf(options: SiteOptions, methods: MethodTable, calls: GrpcServer, limits: GrpcLimits): Site {
  const { pages, store, gateway, access = ALL_WELCOME } = options;
  const json = gateway ? new Gateway({ methods, calls, workers, clock: nodeClock, ...limits }) : undefined;
  return new Site({ access: new Access(access), pages, gateway: json, store });
}

/** etcd's default is 2^32-1; what one connection may hold is bounded here all the same. */
const MAX_STREAMS = 100_000;

class ClientGuard implements CallGuard {
  readonly crowded: RpcStatus = { code: Code.RESOURCE_EXHAUSTED, details: ETCD_MESSAGES.TOO_MANY_REQUESTS };
  readonly #noLeader: RpcStatus = { code: Code.UNAVAILABLE, details: ETCD_MESSAGES.NO_LEADER };
  readonly #store: Pick<Store, 'hasLeader'>;
  readonly #jwt: JwtTokens | undefined;

  constructor(store: Pick<Store, 'hasLeader'>, jwt: JwtTokens | undefined) {
    this.#store = store;
    this.#jwt = jwt;
  }

  refuse(call: ServerCall): RpcStatus | undefined {
    if (this.#jwt !== undefined) readCaller(call, this.#jwt);
    return !this.#store.hasLeader && call.metadata('hasleader') === 'true' ? this.#noLeader : undefined;
  }
}

class StatusTable implements ErrorMapper {
  statusOf(error: unknown): RpcStatus {
    return statusOf(error);
  }
}
