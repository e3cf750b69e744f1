import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Http2Code } from './error-code.js';
import { T, data, headers, rstStream, settings, windowUpdate } from './testing/frames.js';
import { DONE, OK } from './testing/responses.js';
import type { Call } from './testing/test-handler.js';
import { TestPeer } from './testing/test-peer.js';

const INITIAL_WINDOW_SIZE = 4;
const HEADER_TABLE_SIZE = 1;
const STREAM_WINDOW = 20_000;

/** Bytes that tell where they belong. */
function pattern(seed: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = seed * 7 + (from + i) * 31 + ((from + i) >> 8);
  return bytes;
}

/** One stream as both ends mean it. */
class Exchange {
  readonly id: number;
  /** What the client has sent, and what of it was used up; in bytes of the pattern. */
  sent = 0;
  consumed = 0;
  requestEnded = false;
  /** The same of what the server has answered. */
  answered = 0;
  begun = false;
  ended = false;
  /** Somebody has reset it: how much arrives is left open. */
  reset = false;

  constructor(id: number) {
    this.id = id;
  }
}

/** What may happen, by which exchange, and how large. */
interface Move {
  readonly what:
    | 'open' | 'send' | 'end' | 'trailers' | 'cancel' | 'begin' | 'answer' | 'finish' | 'whole' | 'only' | 'reset' | 'window' | 'connection'
    | 'initial' | 'table' | 'turn' | 'drained' | 'consume';
  readonly which: number;
  readonly size: number;
}

class Model {
  readonly peer: TestPeer;
  readonly exchanges: Exchange[] = [];
  #nextId = 1;
  #connectionCredit = 65_535;

  /** `written`: what the transport says; `told`: what the server does when it is told to go on. */
  constructor(written: readonly number[], told: readonly Move[]) {
    this.peer = TestPeer.ready({ streamWindowBytes: STREAM_WINDOW, connectionWindowBytes: 65_535, maxConcurrentStreams: 1_000 });
    this.peer.handler.consumes = false;
    let tellings = 0;
    this.peer.handler.onWritable = () => {
      const { what, which, size } = told[tellings++ % told.length] as Move;
      const exchange = this.exchanges[which % this.exchanges.length] as Exchange;
      const call = this.peer.handler.calls.find(({ id }) => id === exchange.id);
      if (call !== undefined && call.over === undefined) this.#server(what, exchange, call, size);
    };
    let writes = 0;
    this.peer.transport.answer = () => (['taken', 'taken', 'kept', 'full'] as const)[written[writes++ % written.length] as number] ?? 'taken';
  }

  move({ what, which, size }: Move): void {
    const { peer } = this;
    if (what === 'open') return this.#open(size);
    if (what === 'turn') return void peer.turn();
    if (what === 'drained') return peer.drained();
    if (what === 'connection') return peer.send(windowUpdate(0, size + 1));
    if (what === 'initial') return peer.send(settings([INITIAL_WINDOW_SIZE, size]));
    if (what === 'table') return peer.send(settings([HEADER_TABLE_SIZE, size]));
    const exchange = this.exchanges[which % this.exchanges.length];
    if (exchange === undefined || exchange.reset) return;
    const call = peer.handler.calls.find(({ id }) => id === exchange.id);
    if (what === 'window') return peer.send(windowUpdate(exchange.id, size + 1));
    if (what === 'send' || what === 'end' || what === 'trailers' || what === 'cancel') return this.#client(what, exchange, size);
    if (call !== undefined && call.over === undefined) this.#server(what, exchange, call, size);
  }

  #open(size: number): void {
    const exchange = new Exchange(this.#nextId);
    this.#nextId += 2;
    this.exchanges.push(exchange);
    exchange.requestEnded = size % 5 === 0;
    this.peer.send(this.peer.open(exchange.id, { end: exchange.requestEnded, more: [['x-size', `${size}`]] }));
  }

  #client(what: 'send' | 'end' | 'trailers' | 'cancel', exchange: Exchange, size: number): void {
    const { id } = exchange;
    if (what === 'cancel') {
      exchange.reset = true;
      return this.peer.send(rstStream(id, Http2Code.CANCEL));
    }
    if (exchange.requestEnded || this.peer.response(id).reset !== undefined) return;
    exchange.requestEnded = what !== 'send';
    if (what === 'trailers') return this.peer.send(headers(id, this.peer.block([['x-t', `${size}`]]), { end: true }));
    const bytes = Math.max(0, Math.min(size, 16_000, this.#creditOf(exchange), this.#credit()));
    this.peer.send(data(id, pattern(id, exchange.sent, bytes), { end: what === 'end' }));
    exchange.sent += bytes;
    this.#connectionCredit -= bytes;
  }

  /** What the server has told us that we may send. */
  #creditOf({ id, sent }: Exchange): number {
    return STREAM_WINDOW - sent + this.#told(id);
  }

  #credit(): number {
    return this.#connectionCredit + this.#told(0);
  }

  #told(id: number): number {
    return this.peer.of(T.WINDOW_UPDATE).filter((f) => f.id === id).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  }

  #server(what: Move['what'], exchange: Exchange, call: Call, size: number): void {
    const { stream } = call;
    const give = (bytes: number): Buffer => {
      exchange.answered += bytes;
      return pattern(exchange.id + 1, exchange.answered - bytes, bytes);
    };
    switch (what) {
      case 'consume': {
        const bytes = Math.min(size, call.body.length - exchange.consumed);
        exchange.consumed += bytes;
        return stream.consumed(bytes);
      }
      case 'reset':
        exchange.reset = true;
        return stream.reset(Http2Code.INTERNAL_ERROR);
      case 'begin':
        if (exchange.begun) return;
        exchange.begun = true;
        return stream.headers(OK);
      case 'answer':
        if (exchange.begun && !exchange.ended) stream.data(give(size % 7), give(size));
        return;
      case 'finish':
        if (!exchange.begun || exchange.ended) return;
        exchange.ended = true;
        return stream.trailers(DONE);
      case 'whole':
      case 'only':
        if (exchange.begun) return;
        exchange.begun = exchange.ended = true;
        if (what === 'only') return stream.respondOnly(OK);
        return stream.respond(OK, give(size % 7), give(size), DONE);
      default:
    }
  }

  /** At any time: what has come is the beginning of what was sent. */
  check(): void {
    for (const exchange of this.exchanges) {
      const { body } = this.peer.response(exchange.id);
      assert.ok(body.length <= exchange.answered);
      assert.ok(body.equals(pattern(exchange.id + 1, 0, body.length)), `response ${exchange.id}`);
      const call = this.peer.handler.calls.find(({ id }) => id === exchange.id);
      if (call !== undefined) assert.ok(call.body.equals(pattern(exchange.id, 0, call.body.length)), `request ${exchange.id}`);
    }
  }

  /** Everything is let through: what was not reset arrives whole. */
  settle(): void {
    const { peer } = this;
    peer.transport.answer = () => 'taken';
    peer.drained();
    peer.send(settings([INITIAL_WINDOW_SIZE, 10_000_000]), windowUpdate(0, 1_000_000_000));
    for (const call of peer.handler.calls) {
      const exchange = this.exchanges.find(({ id }) => id === call.id) as Exchange;
      if (call.over !== undefined || exchange.ended) continue;
      if (!exchange.begun) call.stream.headers(OK);
      exchange.ended = true;
      call.stream.trailers(DONE);
    }
    peer.turn();
    this.check();
    assert.equal(peer.goaway, undefined);
    assert.equal(peer.connection.openStreams, 0);
    for (const exchange of this.exchanges) {
      if (exchange.reset) continue;
      const response = peer.response(exchange.id);
      assert.ok(response.ended && response.body.length === exchange.answered, `response ${exchange.id} is whole`);
      const call = peer.handler.call(exchange.id);
      assert.equal(call.over, true);
    }
  }
}

const size = fc.oneof(fc.nat(50), fc.nat(2_000), fc.nat(60_000));
const serverMove: fc.Arbitrary<Move> = fc.record({
  what: fc.constantFrom('begin', 'answer', 'answer', 'finish', 'whole', 'only', 'reset'),
  which: fc.nat(40),
  size,
});
const move: fc.Arbitrary<Move> = fc.record({
  what: fc.constantFrom(
    'open', 'open', 'send', 'send', 'end', 'trailers', 'cancel', 'begin', 'begin', 'answer', 'answer', 'answer', 'answer', 'finish', 'whole', 'whole',
    'only', 'reset', 'window', 'window', 'connection', 'connection', 'initial', 'table', 'turn', 'drained', 'drained', 'consume',
  ),
  which: fc.nat(40),
  size,
});
const moves = fc.array(move, { minLength: 10, maxLength: 150, size: 'max' });

describe('many streams in any order, with windows, settings, resets and a transport that is full at times', () => {
  it('what arrives is what was sent, in order, never beyond a window; and all of it, once it may', () => {
    const runs = Number(process.env['H2_RUNS'] ?? 150);
    const answers = fc.array(fc.nat(3), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(moves, answers, fc.array(serverMove, { minLength: 1, maxLength: 20 }), (all, written, told) => {
        const model = new Model(written, told);
        for (const one of all) {
          model.move(one);
          model.check();
        }
        model.settle();
        model.peer.close();
      }),
      { numRuns: runs },
    );
  });
});
