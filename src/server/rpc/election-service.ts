/**
 * etcd's Election service: whoever's key is the first of the election's queue leads (`places.ts`),
 * and the key's value is what they stand for. The rights of a leader are its key and the revision
 * that created it: whoever shows both may proclaim and resign.
 */

import type { Message } from '../../api/protos/reflected-rpc.js';
import type { Caller } from '../../api/caller.js';
import { equalBytes } from '../../base/bytes.js';
import type { LeaseId, Revision } from '../../base/ids.js';
import { Code } from '../../grpc/code.js';
import type { Method } from '../../grpc/method.js';
import { RpcError } from '../../grpc/status.js';
import type { Store } from '../../node/store.js';
import { addCold } from './cold.js';
import type { RequestLimits } from './hot.js';
import { answering, bytesIn, headerAt, int64In, kvMessage, signalOf, within } from './concurrency-answers.js';
import { Asker } from '../concurrency/asker.js';
import { observe } from '../concurrency/observe.js';
import { deletes, isCreatedAt, puts, SESSION_TTL, type Places } from '../concurrency/places.js';
import { keyIn, Queue } from '../concurrency/queue.js';

const notLeader = (): Error => new RpcError(Code.UNKNOWN, 'election: not leader');
const noLeader = (): Error => new RpcError(Code.UNKNOWN, 'election: no leader');

interface LeaderKey {
  readonly key: Uint8Array;
  readonly created: Revision;
  readonly lease: LeaseId;
}

function leaderIn(request: Message): LeaderKey {
  const leader = request['leader'] as Message | null | undefined;
  if (leader === null || leader === undefined) throw new RpcError(Code.UNKNOWN, '"leader" field must be provided');
  return { key: bytesIn(leader, 'key'), created: Number(int64In(leader, 'rev')), lease: int64In(leader, 'lease') };
}

/** Resolves with the revision. */
async function proclaim(store: Store, { key, created, lease }: LeaderKey, value: Uint8Array, caller?: Caller): Promise<Revision> {
  const request = { compare: [isCreatedAt(key, created)], success: [puts(key, value, lease)], failure: [] };
  const { succeeded, revision } = await store.txn(request, caller);
  if (!succeeded) throw notLeader();
  return revision;
}

export function addElection(table: Map<string, Method>, places: Places, limits: RequestLimits): void {
  const { store } = places;
  const campaign = async (request: Message, caller: Caller, signal: AbortSignal): Promise<object> => {
    const value = bytesIn(request, 'value');
    const name = within(limits, bytesIn(request, 'name'), value);
    const place = await places.enter(new Queue(name), int64In(request, 'lease'), value, caller);
    try {
      const { key, created, lease, entered, before } = place;
      if (before !== undefined && !equalBytes(before.value, value)) await proclaim(store, place, value, caller);
      if ((await place.turn(signal)) === undefined) throw notLeader();
      return { header: headerAt(store, entered), leader: { name, key, rev: String(created), lease: lease.toString() } };
    } finally {
      await place.leave();
    }
  };
  addCold(table, 'v3electionpb.Election', {
    Campaign: (request, caller, call) => answering(() => campaign(request, caller, signalOf(call))),
    Proclaim: (request, caller) => answering(async () => {
      const leader = leaderIn(request);
      const value = bytesIn(request, 'value');
      within(limits, leader.key, value);
      const lease = leader.lease === 0n ? (await store.lease.grant({ id: 0n, ttl: SESSION_TTL }, caller)).id : leader.lease;
      return { header: headerAt(store, await proclaim(store, { ...leader, lease }, value, caller)) };
    }),
    Leader: (request, caller) => answering(async () => {
      const asker = await Asker.admit(store, caller);
      const { revision, responses } = await asker.look(new Queue(bytesIn(request, 'name')).first);
      const kv = keyIn(responses[0]);
      if (kv === undefined) throw noLeader();
      return { header: headerAt(store, revision), kv: kvMessage(kv) };
    }),
    Resign: (request, caller) => answering(async () => {
      const { key, created } = leaderIn(request);
      const { revision } = await store.txn({ compare: [isCreatedAt(key, created)], success: [deletes(key)], failure: [] }, caller);
      return { header: headerAt(store, revision) };
    }),
  }, {
    Observe: (request, out, caller, call) => answering(async () => {
      const asker = await Asker.admit(store, caller);
      const options = { signal: signalOf(out), requireLeader: call.metadata('hasleader') === 'true' };
      for await (const { revision, kv } of observe(asker, new Queue(bytesIn(request, 'name')), options)) {
        await out.write({ header: headerAt(store, revision), kv: kvMessage(kv) });
      }
    }),
  });
}
