/**
 * Runs calls in any order: what happens is drawn, who carries it is given. The same runs go over
 * streams that are no HTTP/2 at all and over real connections.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { framed } from './fake-stream.js';
import { DEEDS, expectedAnswers, KINDS, type Deed, type Gates, type Kind } from './random-calls.js';
import { until, type TestServer } from './test-server.js';

export interface Plan {
  readonly kind: Kind;
  readonly deed: Deed;
  /** 0: no deadline. */
  readonly timeoutMs: number;
  readonly sizes: readonly number[];
  /** Bytes of the body that are sent at once. */
  readonly chunk: number;
  /** What the caller takes of the answers before it is told to take more. */
  readonly window: number;
}

const ALL = 1 << 28;

const plan: fc.Arbitrary<Plan> = fc.record({
  kind: fc.constantFrom(...KINDS),
  deed: fc.constantFrom(...DEEDS),
  timeoutMs: fc.oneof(fc.constant(0), fc.nat(200)),
  sizes: fc.array(fc.oneof(fc.nat(50), fc.nat(3000), fc.constant(300 * 1024)), { maxLength: 4 }),
  chunk: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20_000 })),
  window: fc.oneof(fc.constant(ALL), fc.nat(2000)),
});

export const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('begin' as const), plan }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('send' as const), which: fc.nat(20), times: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), which: fc.nat(20), bytes: fc.nat(400_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(120) }) },
  { weight: 6, arbitrary: fc.constant({ do: 'settle' as const }) },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** How a call looks to its caller. */
export interface CallerSide {
  send(part: Uint8Array, ended: boolean): void;
  take(bytes: number): void;
  cancel(): void;
  readonly code: number | undefined;
  readonly messages: readonly Buffer[];
}

export interface World {
  readonly server: TestServer;
  readonly gates: Gates;
  begin(made: Plan, id: number): CallerSide;
  /** Lets everything happen that is ready. */
  settle(): Promise<void>;
  /** After all: nothing is left. */
  check(): void;
}

class Caller {
  readonly side: CallerSide;
  readonly #plan: Plan;
  readonly #requests: readonly Uint8Array[];
  readonly #body: Uint8Array;
  #sent = 0;
  #ended = false;

  constructor(world: World, made: Plan, id: number) {
    const one = made.kind === 'unary' || made.kind === 'down';
    const sizes = one ? [made.sizes[0] ?? 0] : made.sizes;
    this.#plan = made;
    this.#requests = sizes.map((size, i) => Buffer.from(`${id}/${i}:`.repeat(1 + Math.ceil(size / 4))).subarray(0, size + 4));
    this.#body = framed(...this.#requests);
    this.side = world.begin(made, id);
  }

  send(): void {
    if (this.#ended) return;
    const to = Math.min(this.#sent + this.#plan.chunk, this.#body.length);
    this.#ended = to === this.#body.length;
    const part = this.#body.subarray(this.#sent, to);
    this.#sent = to;
    this.side.send(part, this.#ended);
  }

  /** What came back is the beginning of what belongs to this call, and the whole where it is OK. */
  check(): void {
    const { code, messages } = this.side;
    if (code !== undefined) assert.ok([0, 4, 8, 9].includes(code), `status ${code}`);
    const { kind, deed } = this.#plan;
    const expected = expectedAnswers(kind, deed, this.#requests).map((bytes) => Buffer.from(bytes));
    if (code === 0) assert.deepEqual(messages, expected);
    else messages.forEach((message, i) => assert.deepEqual(message, expected[i]));
  }
}

async function carryOut(world: World, callers: Caller[], steps: readonly Step[]): Promise<void> {
  const at = (which: number): Caller | undefined => callers[which % Math.max(1, callers.length)];
  for (const made of steps) {
    switch (made.do) {
      case 'begin':
        callers.push(new Caller(world, made.plan, callers.length));
        break;
      case 'send':
        for (let i = 0; i < made.times; i++) at(made.which)?.send();
        break;
      case 'take':
        at(made.which)?.side.take(made.bytes);
        break;
      case 'cancel':
        at(made.which)?.side.cancel();
        break;
      case 'open':
        world.gates.open(made.which);
        break;
      case 'wait':
        world.server.manual.advance(made.ms);
        break;
      case 'settle':
        await world.settle();
    }
  }
}

/** Runs these steps, and then until nothing is left. */
export async function runCalls(world: World, steps: readonly Step[]): Promise<void> {
  const { server, gates } = world;
  const callers: Caller[] = [];
  await carryOut(world, callers, steps);
  // Some end by themselves, the others are cancelled; handlers that wait come back after that.
  for (const caller of callers) caller.side.take(ALL);
  await world.settle();
  for (const caller of callers) caller.side.cancel();
  await world.settle();
  gates.openAll();
  await until(() => gates.waiting === 0 && server.grpc.held.calls === 0, 'every handler has come back', () => gates.openAll());
  for (const caller of callers) caller.check();
  assert.deepEqual(server.grpc.held, { calls: 0, deadlines: 0, unfinishedBytes: 0, unreadBytes: 0 });
  assert.deepEqual([server.stats.started, server.stats.ended], [callers.length, callers.length]);
  world.check();
  server.manual.advance(100_000);
  assert.equal(server.manual.timers, 0, 'no timer is left');
}
