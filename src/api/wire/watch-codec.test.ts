import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codeOf } from '../../base/errors.js';
import { serviceMethods, type AnyMethod } from '../protos/protos.js';
import type { KeyValue } from '../requests.js';
import type { WatchCreateRequest, WatchEvent, WatchRequest, WatchResponse } from '../watch.js';
import { encodeHeaderPrefix } from './encode-response.js';
import { decodeWatchResponse, encodeWatchRequest } from './watch-client-codec.js';
import { decodeWatchRequest, encodeWatchResponse } from './watch-codec.js';
import { SharedEvent } from './watch-event.js';

const method = serviceMethods('etcdserverpb.Watch')['Watch'] as AnyMethod;

const bytes = fc.uint8Array({ maxLength: 40 });
const natural = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 }), fc.maxSafeNat());
const safe = fc.oneof(natural, fc.maxSafeInteger());
const flag = fc.boolean();

const create: fc.Arbitrary<WatchCreateRequest> = fc.record({
  key: bytes, rangeEnd: bytes, startRevision: safe, progressNotify: flag, noPut: flag, noDelete: flag, prevKv: flag,
  watchId: safe, fragment: flag,
});
const request: fc.Arbitrary<WatchRequest> = fc.oneof(
  create.map((one) => ({ kind: 'create', create: one }) as const),
  safe.map((watchId) => ({ kind: 'cancel', watchId }) as const),
  fc.constantFrom({ kind: 'progress' } as const, { kind: 'nothing' } as const),
);
const keyValue: fc.Arbitrary<KeyValue> = fc.record({
  key: bytes, createRevision: natural, modRevision: natural, version: natural, value: bytes,
  lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});
const event: fc.Arbitrary<WatchEvent> = fc.record({
  type: fc.constantFrom('put' as const, 'delete' as const), kv: keyValue, prevKv: fc.option(keyValue, { nil: undefined }),
});
const response: fc.Arbitrary<WatchResponse> = fc.record({
  revision: natural, watchId: safe, created: flag, canceled: flag, compactRevision: natural, cancelReason: fc.string(), fragment: flag,
  events: fc.array(event, { maxLength: 5 }),
});

const PREFIX = encodeHeaderPrefix(77n, 2n ** 53n - 1n);

function encoded(one: WatchResponse): Buffer {
  const work = encodeWatchResponse(PREFIX, 5, one);
  let step = work.next();
  while (step.done !== true) step = work.next();
  return Buffer.from(step.value);
}

/** Views as arrays of one class, so that contents are compared. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

describe('the codecs of a watch', () => {
  it('every request equals what protobufjs makes of it, in both directions', () => {
    fc.assert(fc.property(request, (one) => {
      const ours = Buffer.from(encodeWatchRequest(one));
      assert.deepEqual(plain(decodeWatchRequest(ours)), plain(one), 'read back what was written');
      const theirs = Buffer.from(method.requestSerialize(method.requestDeserialize(ours)));
      assert.deepEqual(plain(decodeWatchRequest(theirs)), plain(one), 'read what protobufjs wrote');
    }));
  });

  it('every response equals what protobufjs makes of it, in both directions, its events kept or not', () => {
    fc.assert(fc.property(response, flag, (one, kept) => {
      const events = kept ? one.events.map(({ type, kv, prevKv }) => new SharedEvent(type, kv, prevKv)) : one.events;
      const ours = encoded({ ...one, events });
      const header = { clusterId: 77n, memberId: 2n ** 53n - 1n, revision: one.revision, raftTerm: 5 };
      assert.deepEqual(plain(decodeWatchResponse(ours)), plain({ header, ...one }));
      const theirs = Buffer.from(method.responseSerialize(method.responseDeserialize(ours)));
      assert.deepEqual(plain(decodeWatchResponse(theirs)), plain({ header, ...one }));
    }));
  });

  it('filters are read packed and one by one, and unknown ones are none', () => {
    const filters = (...field: number[]): boolean[] => {
      const one = decodeWatchRequest(Uint8Array.of(10, field.length, ...field));
      assert.ok(one.kind === 'create');
      return [one.create.noPut, one.create.noDelete];
    };
    assert.deepEqual(filters(42, 2, 0, 1), [true, true]);
    assert.deepEqual(filters(40, 1), [false, true]);
    assert.deepEqual(filters(40, 0, 40, 1, 40, 0), [true, true]);
    assert.deepEqual(filters(40, 9), [false, false]);
  });

  it('of several requests in one message the last counts, and a message without one is none', () => {
    assert.deepEqual(decodeWatchRequest(Uint8Array.of(26, 0, 18, 2, 8, 7)), { kind: 'cancel', watchId: 7 });
    assert.deepEqual(decodeWatchRequest(Uint8Array.of()), { kind: 'nothing' });
  });

  it('damaged bytes are a CodecError or another message, never a crash', () => {
    const refuses = (decode: () => unknown): void => {
      try {
        decode();
      } catch (error) {
        assert.notEqual(codeOf(error), undefined, String(error));
      }
    };
    fc.assert(fc.property(request, response, fc.nat(), fc.nat(255), fc.nat(), (q, p, at, byte, cut) => {
      for (const damaged of [Buffer.from(encodeWatchRequest(q)), encoded(p)]) {
        if (damaged.length > 0) damaged[at % damaged.length] = byte;
        const some = damaged.subarray(0, cut % (damaged.length + 1));
        refuses(() => decodeWatchRequest(some));
        refuses(() => decodeWatchResponse(some));
      }
    }));
  });

  it('C1 a message of very many events is written in slices', () => {
    const kv = { key: Uint8Array.of(97), value: new Uint8Array(100), createRevision: 2, modRevision: 3, version: 1, lease: 0n };
    const one = { ...fc.sample(response, 1)[0] as WatchResponse, events: Array.from({ length: 20_000 }, () => new SharedEvent('put', kv, undefined)) };
    const work = encodeWatchResponse(PREFIX, 1, one);
    let slices = 0;
    let step = work.next();
    for (; step.done !== true; step = work.next()) slices++;
    assert.ok(slices >= 4, `${slices} slices`);
    assert.equal(decodeWatchResponse(step.value).events.length, 20_000);
  });
});
