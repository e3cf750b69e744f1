import assert from 'node:assert/strict';
import { EMPTY } from '../../base/bytes.js';
import type { WatchResponse } from '../../api/watch.js';
import { encodeHeaderPrefix } from '../../api/wire/encode-response.js';
import { decodeWatchResponse } from '../../api/wire/watch-client-codec.js';
import { SharedEvent } from '../../api/wire/watch-event.js';
import { WatchMessages } from './watch-messages.js';

const never = { breathe: () => undefined };
const messages = (): WatchMessages => new WatchMessages(encodeHeaderPrefix(1n, 2n), never);

function eventAt(revision: number, bytes = 10, prev = false): SharedEvent {
  const kv = { key: Uint8Array.of(97), value: new Uint8Array(bytes), createRevision: 2, modRevision: revision, version: 1, lease: 0n };
  return new SharedEvent('put', kv, prev ? { ...kv, modRevision: 2 } : undefined);
}

function answerOf(revision: number, events: readonly SharedEvent[], more: Partial<WatchResponse> = {}): WatchResponse {
  return {
    revision, watchId: 0, created: false, canceled: false, compactRevision: 0, cancelReason: '', fragment: false, events, ...more,
  };
}

describe('the answers of watches as bytes', () => {
  it('streams that are told the same are sent the same bytes, whoever is told something else in between', () => {
    const made = messages();
    const events = [eventAt(7), eventAt(8)];
    const first = [0, 1, 2].map((watchId) => made.of(answerOf(8, [...events], { watchId }), 3));
    for (let stream = 0; stream < 3; stream++) {
      for (const [watchId, bytes] of first.entries()) assert.equal(made.of(answerOf(8, [...events], { watchId }), 3), bytes);
      assert.ok(made.of(answerOf(8, [], { created: true }), 3) instanceof Uint8Array);
    }
    assert.deepEqual(first.map((bytes) => decodeWatchResponse(bytes as Uint8Array).watchId), [0, 1, 2]);
  });

  it('what differs in anything is encoded for itself', () => {
    const plain = eventAt(7);
    const ways: readonly [WatchResponse, number][] = [
      [answerOf(7, [plain]), 3],
      [answerOf(7, [eventAt(7, 10, true)]), 3],
      [answerOf(7, [eventAt(6), plain]), 3],
      [answerOf(7, [plain], { fragment: true }), 3],
      [answerOf(7, [plain], { watchId: 1 }), 3],
      [answerOf(8, [plain]), 3],
      [answerOf(7, [plain]), 4],
      [answerOf(7, [], { created: true }), 3],
    ];
    const made = messages();
    for (let round = 0; round < 2; round++) {
      for (const [answer, term] of [...ways, ...[...ways].reverse()]) {
        const { header, ...read } = decodeWatchResponse(made.of(answer, term) as Uint8Array);
        assert.equal(header.raftTerm, term);
        assert.deepEqual({ ...read, events: read.events.length }, { ...answer, events: answer.events.length });
        assert.equal(read.events.at(-1)?.prevKv === undefined, answer.events.at(-1)?.prevKv === undefined);
      }
    }
  });

  it('C1 what is large is not kept, and of many ids only some', () => {
    const made = messages();
    const large = [eventAt(7, 20_000)];
    assert.notEqual(made.of(answerOf(7, large), 3), made.of(answerOf(7, large), 3));
    const small = [eventAt(9)];
    const of = (watchId: number): unknown => made.of(answerOf(9, small, { watchId }), 3);
    const all = Array.from({ length: 100 }, (_, id) => of(id));
    assert.equal(all.filter((bytes, id) => of(id) === bytes).length, 16);
  });

  it('C1 a message of very many events is made in slices', async () => {
    let pauses = 0;
    const made = new WatchMessages(EMPTY, { breathe: () => Promise.resolve(void pauses++) });
    const bytes = made.of(answerOf(7, Array.from({ length: 100 }, () => eventAt(7, 20_000))), 3);
    assert.ok(bytes instanceof Promise);
    assert.equal(decodeWatchResponse(await bytes).events.length, 100);
    assert.ok(pauses > 1);
  });
});
