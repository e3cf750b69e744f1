import assert from 'node:assert/strict';
import { atOnce } from '../../base/drive.js';
import type { WatchEvent, WatchResponse } from '../watch.js';
import { EventBytes, PackedWatchResponse } from './packed-events.js';
import { encodeHeaderPrefix } from './encode-response.js';
import { encodeWatchResponse } from './watch-codec.js';
import { decodeWatchResponse } from './watch-client-codec.js';
import { SharedEvent } from './watch-event.js';

const PREFIX = encodeHeaderPrefix(2n ** 64n - 1n, 2n ** 53n - 1n);

function eventOf(n: number, bytes: number): SharedEvent {
  const kv = { key: Buffer.from(`key-${n}`), createRevision: 1, modRevision: n, version: n, value: Buffer.alloc(bytes, n), lease: 0n };
  return new SharedEvent(n % 3 === 0 ? 'delete' : 'put', kv, n % 2 === 0 ? { ...kv, modRevision: n - 1 } : undefined);
}

function packed(events: readonly SharedEvent[]): EventBytes {
  const bytes = new EventBytes();
  for (const { encoded } of events) bytes.add(encoded, 0, encoded.length);
  return bytes;
}

const plain = ({ type, kv, prevKv }: WatchEvent): unknown => ({ type, kv, prevKv });
const text = (events: readonly WatchEvent[]): string[] => events.map(({ kv }) => Buffer.from(kv.key).toString());
const encoded = (answer: WatchResponse): Uint8Array => Uint8Array.from(atOnce(encodeWatchResponse(PREFIX, 7, answer)));

describe('events that are packed', () => {
  const events = Array.from({ length: 40 }, (_, n) => eventOf(n + 1, 10 * n));

  it('give the message that the events give, also a second time', () => {
    const answer = new PackedWatchResponse(40, -1, true, packed(events).take(Infinity));
    const same: WatchResponse = {
      revision: 40, watchId: -1, created: false, canceled: false, compactRevision: 0, cancelReason: '', fragment: true, events,
    };
    assert.deepEqual(encoded(answer), encoded(same), 'in the room before them');
    assert.deepEqual(encoded(answer), encoded(same), 'and copied');
    assert.deepEqual(decodeWatchResponse(encoded(answer)).events.map(plain), answer.events.map(plain));
    assert.deepEqual(text(answer.events), text(events));
  });

  it('are cut between events, below what fits, and what is framed later leaves the first parts as they are', () => {
    const bytes = packed(events);
    const most = 1_000;
    const parts: PackedWatchResponse[] = [];
    while (bytes.length > 0) parts.push(new PackedWatchResponse(1, 1, false, bytes.take(most)));
    assert.ok(parts.length > 5);
    for (const { packed: { length }, events: some } of parts) assert.ok(length < most || some.length === 1, `${length} bytes`);
    parts.reverse().forEach(encoded);
    assert.deepEqual(parts.reverse().flatMap((part) => text(decodeWatchResponse(encoded(part)).events)), text(events));
  });

  it('are split before the last one, also when they came from elsewhere', () => {
    const bytes = packed(events.slice(0, 2));
    bytes.addAll(packed(events.slice(2, 5)));
    const first = bytes.splitLast();
    assert.equal(bytes.splitLast(), undefined, 'one stays');
    const said = [first, bytes].map((part) => text(new PackedWatchResponse(1, 1, false, (part as EventBytes).take(Infinity)).events));
    assert.deepEqual(said, [text(events.slice(0, 4)), text(events.slice(4, 5))]);
  });
});
