/**
 * etcd's Lease service. A stream of keep-alives is answered in its order; what came in one turn, of
 * all streams, goes to the leader together. A lease that is gone is answered with TTL 0 and the
 * stream goes on; what cannot be answered, or may not be, ends it once all before is answered.
 */

import type { Caller } from '../../api/caller.js';
import type { LeaseApi } from '../../api/services/lease.js';
import type { Message } from '../../api/protos/reflected-rpc.js';
import { encodeHeaderPrefix } from '../../api/wire/encode-response.js';
import { ProtoReader } from '../../api/wire/proto-reader.js';
import { bigFieldSize, int64FieldSize, messageFieldSize, ProtoWriter } from '../../api/wire/proto-writer.js';
import { Deferred } from '../../base/deferred.js';
import type { LeaseId } from '../../base/ids.js';
import type { Method, RequestStreamMethod, Sender, ServerCall } from '../../grpc/method.js';
import type { Store } from '../../node/store.js';
import { callerOf } from './caller-of.js';
import { addCold } from './cold.js';

/** Keep-alives of one stream that are under way; its next ones wait unread. */
const MAX_UNDER_WAY = 1_024;

export function addLease(table: Map<string, Method>, store: Store): void {
  const { lease } = store;
  const header = (revision: number): object => ({
    cluster_id: store.clusterId.toString(), member_id: String(store.memberId), raft_term: String(store.term), revision: String(revision),
  });
  addCold(table, 'etcdserverpb.Lease', {
    LeaseGrant: async (request, caller) => {
      const { revision, id, ttl } = await lease.grant({ id: idOf(request), ttl: Number(request['TTL']) }, caller);
      return { header: header(revision), ID: id.toString(), TTL: String(ttl) };
    },
    LeaseRevoke: async (request, caller) => ({ header: header((await lease.revoke(idOf(request), caller)).revision) }),
    LeaseTimeToLive: async (request, caller) => {
      const id = idOf(request);
      const { revision, ttl, grantedTtl, keys } = await lease.timeToLive(id, request['keys'] === true, caller);
      return { header: header(revision), ID: id.toString(), TTL: String(ttl), grantedTTL: String(grantedTtl), keys };
    },
    LeaseLeases: async (_request, caller) => {
      const { revision, ids } = await lease.list(caller);
      return { header: header(revision), leases: ids.map((id) => ({ ID: id.toString() })) };
    },
  });
  table.set('/etcdserverpb.Lease/LeaseKeepAlive', new KeepAlives(store));
}

function idOf(request: Message): LeaseId {
  return BigInt(String(request['ID']));
}

class KeepAlives implements RequestStreamMethod {
  readonly kind = 'bidi';
  readonly #store: Store;
  readonly #lease: LeaseApi;
  readonly #prefix: Uint8Array;

  constructor(store: Store) {
    this.#store = store;
    this.#lease = store.lease;
    this.#prefix = encodeHeaderPrefix(store.clusterId, BigInt(store.memberId));
  }

  async handle(requests: AsyncIterable<Uint8Array>, out: Sender, call: ServerCall): Promise<void> {
    const failed = new Deferred<never>();
    failed.promise.catch(() => undefined);
    const all = this.#readAll(requests, out, callerOf(call), failed);
    // It ends by itself once the call has.
    all.catch(() => undefined);
    await Promise.race([all, failed.promise]);
  }

  async #readAll(requests: AsyncIterable<Uint8Array>, out: Sender, caller: Caller, failed: Deferred<never>): Promise<void> {
    let underWay = 0;
    let last = Promise.resolve();
    for await (const bytes of requests) {
      const id = decodeKeepAlive(bytes);
      const answer = this.#lease.keepAlive(id, caller);
      // It is told in its turn.
      answer.catch(() => undefined);
      underWay++;
      last = last.then(async () => {
        const { revision, ttl } = await answer;
        underWay--;
        await out.write(this.#encode(id, revision, ttl));
      });
      last.catch((error: unknown) => failed.reject(error));
      if (underWay >= MAX_UNDER_WAY) await last;
    }
    await last;
  }

  #encode(id: LeaseId, revision: number, ttl: number): Uint8Array {
    const { term } = this.#store;
    const headerSize = this.#prefix.length + int64FieldSize(revision) + int64FieldSize(term);
    const w = new ProtoWriter(messageFieldSize(headerSize) + bigFieldSize(id) + int64FieldSize(ttl));
    w.message(10, headerSize);
    w.raw(this.#prefix);
    w.int64Field(24, revision);
    w.int64Field(32, term);
    w.bigField(16, id);
    w.int64Field(24, ttl);
    return w.finish();
  }
}

/** Throws CodecError. */
function decodeKeepAlive(bytes: Uint8Array): LeaseId {
  const r = new ProtoReader(bytes);
  const end = bytes.length;
  let id = 0n;
  while (r.at < end) {
    const tag = r.tag(end);
    if (tag === 8) id = r.int64Big(end);
    else r.skip(tag, end);
  }
  return id;
}
