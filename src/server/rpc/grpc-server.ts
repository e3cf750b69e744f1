/**
 * Carries a table of methods over @grpc/grpc-js: the only file that knows this library on the
 * client port. Message sizes are checked here with etcd's words; grpc-js's own limit, some times
 * larger, only bounds memory.
 */

import {
  Server, ServerCredentials, type Metadata, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { MiB } from '../../base/bytes.js';
import { messageOf } from '../../base/errors.js';
import { clientPackage } from '../../api/protos/protos.js';
import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import type { Store } from '../../node/store.js';
import type { MethodStats, RpcStats } from '../../observability/rpc-stats.js';
import { admitUrlAuthorities } from './lenient-authority.js';
import type { MethodTable, Sender, StreamMethod, UnaryMethod } from './method.js';
import { Code, RpcError, statusOf, type RpcStatus } from './status.js';
import { answerUnknownMethods } from './unknown-methods.js';
import { UnreadAnswers } from './unread-answers.js';

export interface GrpcOptions {
  /** A larger request is refused before it is parsed. etcd: `--max-request-bytes` + 512 KiB. */
  readonly maxReceiveBytes: number;
  readonly maxConcurrentStreams: number;
  /**
   * Pings to idle clients; 0 turns them off. Pings of clients are answered however often they come.
   */
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Calls with the metadata `hasleader: true` are refused while it knows no leader. */
  readonly store: Pick<Store, 'leader'>;
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
    if (options.store.leader === 0 && metadata.get('hasleader')[0] === 'true') return noLeader;
    return undefined;
  };
}

const TOO_MANY: RpcStatus = { code: Code.RESOURCE_EXHAUSTED, details: ETCD_MESSAGES.TOO_MANY_REQUESTS };

function unary(method: UnaryMethod, guard: Guard, stats: MethodStats, unread: UnreadAnswers) {
  return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const started = performance.now();
    stats.started++;
    const refused = guard(call.metadata, call.request.length);
    if (refused !== undefined) {
      stats.end(refused.code, 0);
      callback(refused, null);
      return;
    }
    method.handle(call.request).then(
      (response) => {
        const refusal = method.effect === 'read' && !unread.admits(response.length) ? TOO_MANY : undefined;
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

type OutStream = ServerWritableStream<Buffer, Buffer>;

class CallSender implements Sender {
  readonly #call: OutStream;

  constructor(call: OutStream) {
    this.#call = call;
  }

  get cancelled(): boolean {
    return this.#call.cancelled;
  }

  onCancel(fn: () => void): void {
    if (this.#call.cancelled) fn();
    else this.#call.once('cancelled', fn);
  }

  write(message: Uint8Array): Promise<void> {
    const call = this.#call;
    if (call.cancelled) return Promise.reject(new RpcError(Code.CANCELLED, 'context canceled'));
    if (call.write(asBuffer(message))) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        call.off('drain', done).off('cancelled', done).off('close', done);
        resolve();
      };
      call.on('drain', done).on('cancelled', done).on('close', done);
    });
  }
}

async function runStream(call: OutStream, method: StreamMethod, guard: Guard, stats: MethodStats): Promise<void> {
  const started = performance.now();
  stats.started++;
  call.on('error', () => undefined);
  try {
    const refused = guard(call.metadata, call.request.length);
    if (refused !== undefined) throw new RpcError(refused.code, refused.details);
    await method.handle(call.request, new CallSender(call));
    stats.end(Code.OK, performance.now() - started);
    call.end();
  } catch (error) {
    const status = call.cancelled ? new RpcError(Code.CANCELLED, 'context canceled') : statusOf(error);
    stats.end(status.code, performance.now() - started);
    call.emit('error', status);
  }
}

function register(server: Server, methods: MethodTable, options: GrpcOptions): void {
  const guard = guardOf(options);
  const unread = new UnreadAnswers(options.maxUnreadBytes);
  for (const [path, method] of methods) {
    if (method.kind === 'unary') {
      const stats = options.stats.of(path, 'unary');
      server.register(path, unary(method, guard, stats, unread), identity, identity, 'unary');
    } else {
      const stats = options.stats.of(path, 'server_stream');
      const run = (call: OutStream): void => void runStream(call, method, guard, stats);
      server.register(path, run, identity, identity, 'serverStream');
    }
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
  answerUnknownMethods(server);
  register(server, methods, options);
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
