/**
 * Who leads, one after the other, each with its values in their order: first who leads now, if
 * anybody does. Between two leaders it looks who is first; while nobody leads it waits for the
 * first key that comes.
 */

import type { KeyValue } from '../../api/requests.js';
import type { Revision } from '../../base/ids.js';
import type { Asker } from './asker.js';
import { changesOf, type ListenOptions } from './changes.js';
import { keyIn, single, type Queue } from './queue.js';

export interface Led {
  readonly revision: Revision;
  readonly kv: KeyValue;
}

/** Rejects with RpcError CANCELLED on the signal, and with EtcdError. */
export async function* observe(asker: Asker, queue: Queue, options: ListenOptions): AsyncGenerator<Led, never, undefined> {
  for (;;) {
    const { revision, responses } = await asker.look(queue.first);
    const leads = keyIn(responses[0]);
    const led = leads === undefined ? await nextCandidate(asker, queue, revision, options) : { revision, kv: leads };
    if (led === undefined) continue;
    yield led;
    yield* valuesOf(asker, led, options);
  }
}

/** The first key that comes; undefined: look again. */
async function nextCandidate(asker: Asker, { prefix, end }: Queue, after: Revision, options: ListenOptions): Promise<Led | undefined> {
  const range = { key: prefix, rangeEnd: end };
  for await (const { events } of changesOf(asker.store, [{ ...range, from: after + 1, only: 'puts' }], options)) {
    asker.mayRead(range);
    const [first] = events;
    if (first !== undefined) return { revision: first.kv.modRevision, kv: first.kv };
  }
  return undefined;
}

/** Until the key goes. */
async function* valuesOf(asker: Asker, { revision: after, kv }: Led, options: ListenOptions): AsyncGenerator<Led, void, undefined> {
  const range = single(kv.key.slice());
  for await (const { revision, events } of changesOf(asker.store, [{ key: range.key, from: after + 1 }], options)) {
    asker.mayRead(range);
    for (const event of events) {
      if (event.type === 'delete') return;
      yield { revision, kv: event.kv };
    }
  }
}
