import assert from 'node:assert/strict';
import { ManualClock } from '../base/testing/manual-clock.js';
import { ServerConnection } from '../http2/connection.js';
import { DEFAULT_HTTP2_LIMITS } from '../http2/limits.js';
import { Http2Pool } from '../http2/pool.js';
import type { RequestHandler } from '../http2/request-handler.js';
import { NodeServer } from '../http2/testing/fuzz/node-oracle.js';
import { verdictOf } from '../http2/testing/fuzz/verdict.js';
import { PREFACE, T, frame, parseFrames } from '../http2/testing/frames.js';
import { assertGivenBack } from '../http2/testing/given-back.js';
import { MemoryTransport } from '../http2/testing/memory-transport.js';
import { echo } from '../http2/testing/responses.js';
import { TestHandler, type Call } from '../http2/testing/test-handler.js';
import type { Method, UnaryMethod } from './method.js';
import { deflateInflater } from './testing/node-inflater.js';
import { recordings } from './testing/recordings.js';
import { settled, TestServer, until } from './testing/test-server.js';

const ANSWER = Buffer.from('an answer');
const unary: UnaryMethod = { kind: 'unary', refusable: false, handle: () => ANSWER };
const METHODS: Readonly<Record<string, Method>> = {
  ...Object.fromEntries(['KV/Put', 'KV/Range', 'KV/Txn', 'KV/DeleteRange', 'Maintenance/Status', 'Cluster/MemberList']
    .map((name) => [`/etcdserverpb.${name}`, unary])),
  '/grpc.health.v1.Health/Check': unary,
  '/grpc.health.v1.Health/Watch': { kind: 'server-stream', handle: (_request, out) => out.write(ANSWER) },
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': {
    kind: 'bidi',
    handle: async (requests, out) => {
      for await (const _request of requests) await out.write(ANSWER);
    },
  },
};
/** Bytes of a chunk. */
const CUTS = [9, Infinity];
/** Its `:authority` names no host: node:http2 resets every request, grpc-go takes them. */
const ODD_AUTHORITY = 'go clientv3 v3.5.0';

/** A connection that hears a recording; it holds nothing afterwards. */
class Replay {
  readonly transport = new MemoryTransport();
  readonly #clock: ManualClock;
  readonly #pool: Http2Pool;
  readonly #connection: ServerConnection;

  constructor(handler: RequestHandler, clock: ManualClock) {
    this.#clock = clock;
    this.#pool = new Http2Pool(clock);
    this.#connection = new ServerConnection({ transport: this.transport, handler, limits: DEFAULT_HTTP2_LIMITS, clock, pool: this.#pool });
  }

  hear(said: Buffer, cut: number): void {
    for (let at = 0; at < said.length; at += cut) this.#connection.receive(Uint8Array.from(said.subarray(at, at + cut)));
    this.turn();
  }

  turn(): void {
    this.#clock.advance(0);
  }

  end(handler = new TestHandler()): Buffer {
    this.#connection.closed();
    this.turn();
    assertGivenBack({ connection: this.#connection, pool: this.#pool, handler });
    return Buffer.concat(this.transport.writes);
  }
}

/** Streams that the client has given up. */
function cancelled(said: Buffer): Set<number> {
  const { frames } = parseFrames(said.subarray(PREFACE.length));
  return new Set(frames.filter(({ type }) => type === T.RST_STREAM).map(({ id }) => id));
}

/** node:http2 drops what has come in one chunk with a GOAWAY; what runs then is to be answered. */
function withoutGoaway(said: Buffer): Buffer {
  const { frames } = parseFrames(said.subarray(PREFACE.length));
  const kept = frames.filter(({ type }) => type !== T.GOAWAY).map(({ type, flags, id, payload }) => frame(type, flags, id, payload));
  return Buffer.concat([PREFACE, ...kept]);
}

/** As node:http2 shows them: the values of one name in one. */
function headersOf({ fields }: Call): Record<string, string> {
  const all: Record<string, string> = {};
  for (const [name, value] of fields) all[name] = name in all ? `${all[name]}, ${value}` : value;
  return all;
}

for (const { client, connections } of recordings()) {
  describe(`what ${client} has said`, () => {
    it('is read as node:http2 reads it, whatever the chunks', async () => {
      assert.ok(connections.length > 0);
      const node = new NodeServer({ maxConcurrentStreams: 10_000, maxHeaderListBytes: 65_536, streamWindowBytes: 1 << 20 });
      for (const said of connections) {
        const { requests } = await node.serve(withoutGoaway(said));
        const odd = client.startsWith(ODD_AUTHORITY);
        assert.equal(requests.length > 0, !odd);
        for (const cut of CUTS) {
          const handler = new TestHandler();
          handler.onEnd = echo;
          const replay = new Replay(handler, new ManualClock());
          replay.hear(said, cut);
          for (const { id, headers, body } of requests) {
            const call = handler.call(id);
            const { ':path': path, ':method': _method, ':scheme': _scheme, ':authority': _authority, ...others } = headers;
            assert.deepEqual([call.path, headersOf(call), call.body], [path, Object.fromEntries(Object.entries(others)), body]);
          }
          const given = cancelled(said);
          const more = handler.calls.filter(({ id }) => requests.every((request) => request.id !== id));
          if (odd) assert.ok(more.length > 0 && more.every(({ ended }) => ended));
          else assert.deepEqual(more.filter(({ id }) => !given.has(id)).map(({ path }) => path), [], 'what is not cancelled is read by both');
          replay.end(handler);
        }
      }
    });

    it('is answered call by call with the right status', async () => {
      for (const said of connections) {
        for (const cut of CUTS) {
          const server = new TestServer(METHODS, { inflater: deflateInflater });
          const replay = new Replay(server.grpc, server.manual);
          replay.hear(said, cut);
          // What was inflated comes back in a later turn.
          await until(() => server.grpc.held.calls === 0 || server.stats.started === server.stats.ended, 'all are answered', () => replay.turn());
          await settled();
          replay.turn();
          const { streams, failed } = verdictOf(replay.end(), false, 'grpc-status');
          assert.equal(failed, undefined);
          const given = cancelled(said);
          const unanswered = [...streams].filter(([id, outcome]) => !given.has(id) && outcome.kind !== 'answered');
          assert.deepEqual(unanswered, []);
          const statuses = [...streams.values()].flatMap((outcome) => (outcome.kind === 'answered' ? [outcome.trailers] : []));
          assert.deepEqual(statuses.filter((status) => status !== '0' && status !== '12'), []);
          assert.ok(statuses.filter((status) => status === '12').length <= 1, 'one method is unknown');
          server.grpc.stop();
          assert.deepEqual({ ...server.grpc.held }, { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 });
        }
      }
    });
  });
}
