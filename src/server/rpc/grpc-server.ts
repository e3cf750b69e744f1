/**
 * Carries a table of methods over @grpc/grpc-js: the only file that knows this library on the client port. Message
 * sizes are checked here with etcd's words; grpc-js's own limit, some times larger, only bounds memory.
 */

import { Server, ServerCredentials, type ServerDuplexStream, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import type { Metadata, sendUnaryData } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { MiB } from '../../base/bytes.js';
import { messageOf } from '../../base/errors.js';
import { clientPackage } from '../../api/protos/protos.js';
import type { MethodStats} from '../../observability/rpc-stats.js';
import { type RpcStats } from '../../observability/rpc-stats.js';
import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import { admitUrlAuthorities } from './lenient-authority.js';
import type { BidiHandler, MethodTable, Sender, ServerStreamHandler, UnaryHandler } from './method.js';
import { Code, RpcError, statusOf, unknownMethod, type RpcStatus } from './status.js';
import { UnreadAnswers } from './unread-answers.js';

export interface GrpcOptions {
  /** A larger request is refused before it is parsed. etcd: `--max-request-bytes` + 512 KiB. */
  readonly maxReceiveBytes: number;
  readonly maxConcurrentStreams: number;
  /** Pings to idle clients; 0 turns them off. Pings of clients are answered however often they come. */
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
  /** For calls with the metadata `hasleader: true`. */
  hasLeader(): boolean;
  /** Bytes of large answers that callers may leave unread, over all calls. */
  readonly maxUnreadBytes?: number;
  readonly stats: RpcStats;
}

const identity = (bytes: Buffer): Buffer => bytes;
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

interface Guard {
  (metadata: Metadata, requestBytes: number): RpcStatus | undefined;
}

/** What refuses a call before its handler sees it. */
function guardOf(options: GrpcOptions): Guard {
  const noLeader: RpcStatus = { code: Code.UNAVAILABLE, details: ETCD_MESSAGES.NO_LEADER };
  return (metadata, requestBytes) => {
    if (requestBytes > options.maxReceiveBytes) {
      const details = `grpc: received message larger than max (${requestBytes} vs. ${options.maxReceiveBytes})`;
      return { code: Code.RESOURCE_EXHAUSTED, details };
    }
    if (!options.hasLeader() && metadata.get('hasleader')[0] === 'true') return noLeader;
    return undefined;
  };
}

/** What only reads may be refused when it is done; a write that happened must be answered. */
const REFUSABLE = '/etcdserverpb.KV/Range';
const TOO_MANY: RpcStatus = { code: Code.RESOURCE_EXHAUSTED, details: ETCD_MESSAGES.TOO_MANY_REQUESTS };

function unary(handle: UnaryHandler, guard: Guard, stats: MethodStats, unread: UnreadAnswers, refusable: boolean) {
  return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const started = performance.now();
    stats.started++;
    const refused = guard(call.metadata, call.request.length);
    if (refused !== undefined) {
      stats.end(refused.code, 0);
      callback(refused, null);
      return;
    }
    handle(call.request).then(
      (response) => {
        const refusal = refusable && !unread.admits(response.length) ? TOO_MANY : undefined;
        stats.end(refusal?.code ?? Code.OK, performance.now() - started);
        if (refusal !== undefined) {
          callback(refusal, null);
          return;
        }
        unread.track(call, response.length);
        callback(null, response as Buffer);
      },
      (error: unknown) => {
        const status = statusOf(error);
        stats.end(status.code, performance.now() - started);
        callback(status, null);
      },
    );
  };
}

type OutStream = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

function senderOf(call: OutStream): Sender {
  return {
    write: (message) => {
      if (call.cancelled) return Promise.reject(new RpcError(Code.CANCELLED, 'context canceled'));
      if (call.write(asBuffer(message))) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          call.off('drain', done).off('cancelled', done).off('close', done);
          resolve();
        };
        call.on('drain', done).on('cancelled', done).on('close', done);
      });
    },
    get cancelled() {
      return call.cancelled;
    },
    onCancel: (fn) => void (call.cancelled ? fn() : call.once('cancelled', fn)),
  };
}

async function runStream(call: OutStream, stats: MethodStats, refused: RpcStatus | undefined, run: () => Promise<void>): Promise<void> {
  const started = performance.now();
  stats.started++;
  call.on('error', () => undefined);
  try {
    if (refused !== undefined) throw new RpcError(refused.code, refused.details);
    await run();
    stats.end(Code.OK, performance.now() - started);
    call.end();
  } catch (error) {
    const status = call.cancelled ? new RpcError(Code.CANCELLED, 'context canceled') : statusOf(error);
    stats.end(status.code, performance.now() - started);
    call.emit('error', status);
  }
}

function serverStream(handle: ServerStreamHandler, guard: Guard, stats: MethodStats) {
  return (call: ServerWritableStream<Buffer, Buffer>): void => {
    const refused = guard(call.metadata, call.request.length);
    void runStream(call, stats, refused, () => handle(call.request, senderOf(call)));
  };
}

function bidi(handle: BidiHandler, guard: Guard, stats: MethodStats) {
  return (call: ServerDuplexStream<Buffer, Buffer>): void => {
    void runStream(call, stats, guard(call.metadata, 0), () => handle(call as AsyncIterable<Buffer>, senderOf(call)));
  };
}

interface Registered {
  readonly func: (call: ServerDuplexStream<Buffer, Buffer>) => void;
  readonly serialize: typeof identity;
  readonly deserialize: typeof identity;
  readonly type: 'bidi';
  readonly path: string;
}

/** grpc-js keeps its handlers in a map and has no hook for unknown paths; this map answers them in etcd's words. */
class HandlersWithFallback extends Map<string, Registered> {
  override get(path: string): Registered | undefined {
    const found = super.get(path);
    if (found !== undefined) return found;
    const services = new Set<string>();
    for (const known of this.keys()) services.add(known.slice(1, known.lastIndexOf('/')));
    const status = unknownMethod(path, services);
    const func = (call: ServerDuplexStream<Buffer, Buffer>): void => void call.emit('error', status);
    return { func, serialize: identity, deserialize: identity, type: 'bidi', path };
  }
}

/** A server with all of `methods` and reflection; it listens nowhere yet. */
export function grpcServer(methods: MethodTable, options: GrpcOptions): Server {
  const server = new Server({
    'grpc.max_receive_message_length': Math.max(4 * options.maxReceiveBytes, 8 * MiB),
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': options.maxConcurrentStreams,
    'grpc.enable_channelz': 0,
    ...(options.keepaliveIntervalMs > 0
      ? { 'grpc.keepalive_time_ms': options.keepaliveIntervalMs, 'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs }
      : {}),
  });
  (server as unknown as { handlers: Map<string, Registered> }).handlers = new HandlersWithFallback();
  const guard = guardOf(options);
  const unread = new UnreadAnswers(options.maxUnreadBytes);
  for (const [path, method] of methods) {
    switch (method.kind) {
      case 'unary': {
        const stats = options.stats.of(path, 'unary');
        server.register(path, unary(method.handle, guard, stats, unread, path === REFUSABLE), identity, identity, 'unary');
        break;
      }
      case 'server-stream': {
        const stats = options.stats.of(path, 'server_stream');
        server.register(path, serverStream(method.handle, guard, stats), identity, identity, 'serverStream');
        break;
      }
      case 'bidi': {
        const stats = options.stats.of(path, 'bidi_stream');
        server.register(path, bidi(method.handle, guard, stats), identity, identity, 'bidi');
        break;
      }
    }
  }
  new ReflectionService(clientPackage()).addToServer(server);
  return server;
}

/** grpc-js wraps what the system said into a count of addresses. */
function listenFailure(hostAndPort: string, said: string): string {
  return `cannot listen on ${hostAndPort}: ${/\[(.*)\]$/.exec(said)?.[1] ?? said}`;
}

/** Resolves to the port, which matters when 0 was asked for. */
export function listenInsecure(server: Server, hostAndPort: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(hostAndPort, ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) {
        reject(new Error(listenFailure(hostAndPort, messageOf(error)), { cause: error }));
        return;
      }
      admitUrlAuthorities(server);
      resolve(port);
    });
  });
}
