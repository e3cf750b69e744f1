/**
 * Unary gRPC calls over bare node:http2 with prior knowledge: one HTTP/2 stream per call, no
 * interceptors, no reflection. A few sessions per endpoint carry many streams; a broken session is
 * replaced at the next call.
 */

import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';

const { HTTP2_HEADER_PATH, NGHTTP2_CANCEL } = constants;

/** gRPC status names by number. */
export const STATUS_NAMES = [
  'OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export const UNAVAILABLE = 14;
export const DEADLINE_EXCEEDED = 4;

export class RpcError extends Error {
  readonly code: number;
  /** True if the request certainly never left: nothing was connected. */
  readonly neverSent: boolean;

  constructor(code: number, message: string, neverSent = false) {
    super(`${STATUS_NAMES[code] ?? code}: ${message}`);
    this.code = code;
    this.neverSent = neverSent;
  }
}

/** Called once: with the body of the only message, or with an error. */
export type Answer = (error: RpcError | undefined, body: Buffer) => void;

const NO_BODY = Buffer.alloc(0);

export const METHODS = {
  put: '/etcdserverpb.KV/Put',
  range: '/etcdserverpb.KV/Range',
  deleteRange: '/etcdserverpb.KV/DeleteRange',
  txn: '/etcdserverpb.KV/Txn',
  compact: '/etcdserverpb.KV/Compact',
  watch: '/etcdserverpb.Watch/Watch',
  leaseGrant: '/etcdserverpb.Lease/LeaseGrant',
  leaseKeepAlive: '/etcdserverpb.Lease/LeaseKeepAlive',
  status: '/etcdserverpb.Maintenance/Status',
  moveLeader: '/etcdserverpb.Maintenance/MoveLeader',
  memberList: '/etcdserverpb.Cluster/MemberList',
} as const;

class Session {
  readonly #url: string;
  readonly #authority: string;
  #http2: ClientHttp2Session | undefined;
  #connected = false;
  #lastError = 'not connected';

  constructor(url: string) {
    this.#url = url;
    this.#authority = new URL(url).host;
  }

  #open(): ClientHttp2Session {
    if (this.#http2 && !this.#http2.closed && !this.#http2.destroyed) return this.#http2;
    this.#connected = false;
    const session = connect(this.#url, {
      settings: { enablePush: false, initialWindowSize: 8 * 1024 * 1024, headerTableSize: 65536 },
      peerMaxConcurrentStreams: 100_000,
      maxSessionMemory: 1000,
      // Members that made their own certificates are asked, too.
      rejectUnauthorized: false,
    });
    session.on('connect', () => {
      this.#connected = true;
      session.setLocalWindowSize(32 * 1024 * 1024);
    });
    session.on('error', (error) => (this.#lastError = error.message));
    session.on('goaway', () => session.close());
    session.on('close', () => {
      if (this.#http2 === session) this.#http2 = undefined;
    });
    session.unref();
    this.#http2 = session;
    return session;
  }

  /** `framed`: the answer is every message with its frame head, for a server stream. */
  call(path: string, request: Buffer, answer: Answer, framed = false): ClientHttp2Stream {
    const session = this.#open();
    const stream = session.request({
      ':method': 'POST',
      [HTTP2_HEADER_PATH]: path,
      ':authority': this.#authority,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let body: Buffer | undefined;
    let status = -1;
    let message = '';
    const readStatus = (headers: IncomingHttpHeaders): void => {
      const code = headers['grpc-status'];
      if (code === undefined) return;
      status = Number(code);
      if (status !== 0) message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
    };
    stream.on('response', readStatus);
    stream.on('trailers', readStatus);
    stream.on('data', (chunk: Buffer) => (body = body === undefined ? chunk : Buffer.concat([body, chunk])));
    stream.on('error', (error) => (message ||= error.message));
    stream.on('close', () => {
      if (status === 0 && framed) answer(undefined, body ?? NO_BODY);
      else if (status === 0 && body !== undefined && body.length >= 5) answer(undefined, body.subarray(5));
      else if (status > 0) answer(new RpcError(status, message), NO_BODY);
      else answer(new RpcError(UNAVAILABLE, message || this.#lastError, !this.#connected), NO_BODY);
    });
    stream.end(request);
    return stream;
  }

  close(): void {
    this.#http2?.destroy();
    this.#http2 = undefined;
  }
}

/** All calls to one node. */
export class Endpoint {
  readonly url: string;
  readonly #sessions: Session[];
  #turn = 0;

  constructor(url: string, sessions = 1) {
    this.url = url;
    this.#sessions = Array.from({ length: sessions }, () => new Session(url));
  }

  /**
   * `timeoutMs` of 0: wait for ever. A call that times out is cancelled and answers
   * DEADLINE_EXCEEDED.
   */
  call(path: string, request: Buffer, timeoutMs: number, answer: Answer, framed = false): void {
    const session = this.#sessions[this.#turn++ % this.#sessions.length] as Session;
    if (timeoutMs === 0) {
      session.call(path, request, answer, framed);
      return;
    }
    let timedOut = false;
    const stream = session.call(path, request, (error, body) => {
      clearTimeout(timer);
      if (timedOut) answer(new RpcError(DEADLINE_EXCEEDED, `no answer within ${timeoutMs} ms`), NO_BODY);
      else answer(error, body);
    }, framed);
    const timer = setTimeout(() => {
      timedOut = true;
      stream.close(NGHTTP2_CANCEL);
    }, timeoutMs);
  }

  unary(path: string, request: Buffer, timeoutMs = 10_000): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.call(path, request, timeoutMs, (error, body) => (error ? reject(error) : resolve(body)));
    });
  }

  /** All messages of a server stream. */
  async messages(path: string, request: Buffer, timeoutMs: number): Promise<Buffer[]> {
    const framed = await new Promise<Buffer>((resolve, reject) => {
      this.call(path, request, timeoutMs, (error, body) => (error ? reject(error) : resolve(body)), true);
    });
    const out: Buffer[] = [];
    for (let at = 0; at + 5 <= framed.length; ) {
      const end = at + 5 + framed.readUInt32BE(at + 1);
      out.push(framed.subarray(at + 5, end));
      at = end;
    }
    return out;
  }

  close(): void {
    for (const session of this.#sessions) session.close();
  }
}
