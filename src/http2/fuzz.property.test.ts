import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ServerConnection } from './connection.js';
import { ManualClock } from '../base/testing/manual-clock.js';
import { DEFAULT_HTTP2_LIMITS } from './limits.js';
import { Http2Pool } from './pool.js';
import { PREFACE, frame, parseFrames, settings } from './testing/frames.js';
import { assertGivenBack } from './testing/given-back.js';
import { MemoryTransport } from './testing/memory-transport.js';
import { answer, echo, echoInPieces } from './testing/responses.js';
import { TestHandler } from './testing/test-handler.js';

/** Header blocks of requests: with and without the table, with a body of five bytes, too large. */
const request = fc.constantFrom(
  Buffer.from([0x83, 0x86, 0x84]),
  Buffer.from([0x83, 0x86, 0x84]),
  Buffer.from([0x83, 0x86, 0x44, 2, 0x2f, 0x61, 0x40, 1, 0x78, 1, 0x79]),
  Buffer.from([0x83, 0x86, 0x84, 0x0f, 0x0d, 1, 0x35]),
  Buffer.concat([Buffer.from([0x83, 0x86, 0x84]), Buffer.alloc(20, 0x90)]),
);
/** Trailers, what is malformed, and what cannot be decoded. */
const block = fc.oneof(
  { weight: 30, arbitrary: request },
  { weight: 2, arbitrary: fc.constantFrom(Buffer.from([0, 1, 0x74, 1, 0x75]), Buffer.alloc(0), Buffer.from([0x83])) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)) },
);
const u32 = fc.oneof(fc.nat(10), fc.nat(100_000), fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 65_535, 16_384)).map((n) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
});
const increment = fc.integer({ min: 1, max: 200_000 }).map((n) => Buffer.from([0, n >> 16, n >> 8, n]));
const settingId = fc.constantFrom(1, 3, 4, 4, 4, 6, 9);
const setting = fc.tuple(settingId, fc.nat(70_000)).map(([id, n]) => Buffer.from([0, id, 0, n >> 16, n >> 8, n]));
const payload = fc.oneof(
  block, u32, setting, fc.tuple(u32, u32).map((all) => Buffer.concat(all)), fc.nat(16_384).map((length) => Buffer.alloc(length)),
  fc.tuple(u32, fc.constant(Buffer.from([9])), block).map((all) => Buffer.concat(all)),
);

/** Bytes, when the streams that are there are known. */
type Step = (ids: { next: () => number; some: (n: number) => number }) => Buffer;

/** Most make sense, a few do not. */
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.tuple(request, fc.boolean()).map(([bytes, end]): Step => (ids) => frame(1, end ? 5 : 4, ids.next(), bytes)) },
  {
    weight: 5,
    arbitrary: fc.tuple(block, fc.nat(20)).map(([bytes, at]): Step => (ids) => {
      const id = ids.next();
      return Buffer.concat([frame(1, 1, id, bytes.subarray(0, at)), frame(9, 4, id, bytes.subarray(at))]);
    }),
  },
  {
    weight: 30,
    arbitrary: fc.tuple(fc.nat(6), fc.oneof(fc.constant(5), fc.nat(100), fc.nat(16_000)), fc.nat(2)).map(([n, size, end]): Step => (ids) =>
      frame(0, end === 0 ? 1 : 0, ids.some(n), Buffer.alloc(size))),
  },
  { weight: 15, arbitrary: fc.tuple(fc.nat(6), increment).map(([n, by]): Step => (ids) => frame(8, 0, n < 3 ? 0 : ids.some(n), by)) },
  { weight: 5, arbitrary: fc.tuple(fc.nat(6), u32).map(([n, code]): Step => (ids) => frame(3, 0, ids.some(n), code)) },
  { weight: 5, arbitrary: fc.array(setting, { maxLength: 4 }).map((all): Step => () => frame(4, 0, 0, Buffer.concat(all))) },
  { weight: 5, arbitrary: fc.constantFrom(6, 0x42).map((type): Step => () => frame(type, 0, 0, Buffer.alloc(8))) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(6), block).map(([n, bytes]): Step => (ids) => frame(1, 5, ids.some(n), bytes)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(12), fc.nat(0x2f), fc.nat(6), payload).map(([type, flags, n, bytes]): Step => (ids) =>
      frame(type, flags, n === 0 ? 0 : ids.some(n), bytes)),
  },
);

function bytesOf(steps: readonly Step[]): Buffer {
  let last = 1;
  const ids = { next: () => (last += 2), some: (n: number) => Math.max(1, last - 2 * n) };
  const begin = [PREFACE, settings(), frame(4, 1, 0), frame(1, 4, 1, Buffer.from([0x83, 0x86, 0x84]))];
  return Buffer.concat([...begin, ...steps.map((one) => one(ids))]);
}

interface Session {
  readonly steps: readonly Step[];
  /** Where bytes are changed, and to what. */
  readonly mutations: readonly (readonly [at: number, byte: number])[];
  /** What the transport says to a write, and what the layer above does with a request. */
  readonly answers: readonly number[];
  readonly cut: number;
}

const session: fc.Arbitrary<Session> = fc.record({
  steps: fc.array(step, { maxLength: 100, size: 'max' }),
  mutations: fc.array(fc.tuple(fc.nat(60_000), fc.nat(255)), { maxLength: 2 }),
  answers: fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }),
  cut: fc.integer({ min: 1, max: 3_000 }),
});

function play({ steps, mutations, answers, cut }: Session): void {
  const clock = new ManualClock();
  const pool = new Http2Pool(clock);
  const transport = new MemoryTransport();
  const handler = new TestHandler();
  const limits = { ...DEFAULT_HTTP2_LIMITS, maxConcurrentStreams: 5, maxHeaderListBytes: 500, streamWindowBytes: 20_000 };
  const connection = new ServerConnection({ transport, handler, limits, clock, pool });
  let turn = 0;
  const next = (): number => answers[turn++ % answers.length] as number;
  transport.answer = () => (['kept', 'full'] as const)[next()] ?? 'taken';
  handler.onRequest = (call) => void (next() === 0 && call.stream.reset(2));
  handler.onEnd = (call) => [echo, echoInPieces, answer(100_000), echo, answer(20)][next()]?.(call);
  handler.consumes = next() > 2;
  handler.releases = next() > 1;

  const bytes = bytesOf(steps);
  for (const [at, byte] of mutations) if (at < bytes.length) bytes[at] = byte;
  for (let at = 0; at < bytes.length; at += cut) {
    connection.receive(Uint8Array.from(bytes.subarray(at, at + cut)));
    if (next() === 1) clock.advance(10);
    if (next() === 1) connection.tick(clock.now());
    if (next() < 3 && transport.full) {
      transport.letGo();
      connection.drained();
    }
    const lately = handler.calls.at(-1);
    if (next() === 5 && lately?.over === undefined) lately?.stream.reset(7);
  }
  clock.advance(0);
  const { frames, rest } = parseFrames(Buffer.concat(transport.writes));
  assert.equal(rest.length, 0, 'only whole frames are written');
  assert.ok(frames.every(({ type, payload: { length } }) => type <= 9 && length <= 16_384));
  assert.equal(transport.ended, frames.some(({ type }) => type === 7), 'an end is told');
  transport.checkKept();
  connection.closed();
  clock.advance(0);
  assertGivenBack({ connection, pool, handler });
}

describe('whatever a client sends', () => {
  it('nothing is thrown, and all is given back', () => {
    fc.assert(fc.property(session, play), { numRuns: Number(process.env['H2_RUNS'] ?? 200) });
  });
});
