import assert from 'node:assert/strict';
import { KiB, MiB } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { silent } from '../../base/testing/silent.js';
import { put } from '../../api/testing/requests.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { MAX_ENTRY_BYTES } from '../base/limits.js';
import { decodeLogRecord } from '../entry/entry.js';
import { MemberState } from '../state/testing/member-state.js';
import { Proposals } from './proposals.js';

const workers = { breathe: () => undefined };

/** A member that takes so many proposals at a time, and what its driver was handed. */
class World {
  readonly clock = new ManualClock();
  readonly member = new MemberState();
  readonly load = { full: false };
  readonly pauses: (() => void)[] = [];
  /** What is to be done in later turns. */
  readonly turns: (() => void)[] = [];
  readonly sent: Uint8Array[] = [];
  readonly proposals: Proposals;

  constructor(maxPending: number) {
    const breathe = (): Promise<void> => new Promise((resolve) => this.pauses.push(resolve));
    this.proposals = new Proposals(
      {
        clock: {
          now: () => this.clock.now(), wallNow: () => 0, setTimer: (ms, fn) => this.clock.setTimer(ms, fn),
          defer: (fn) => void this.turns.push(fn),
        },
        events: silent, workers: { breathe }, load: this.load, leadership: this.member.leadership,
        driver: { propose: (data) => void this.sent.push(data) },
      },
      { incarnation: 1, timeoutMs: 7_000, maxPending, retryMs: 60_000 },
    );
  }

  /** The code that it is refused with, or 'waits'. */
  propose(bytes = 1): { code: string } {
    const outcome = { code: 'waits' };
    const request = { ...put('a', 'b'), value: new Uint8Array(bytes) };
    this.proposals.propose({ kind: 'put', request }).catch((error: unknown) => (outcome.code = codeOf(error) ?? String(error)));
    return outcome;
  }

  handed(): number {
    return this.sent.reduce((sum, data) => sum + data.length, 0);
  }
}

describe('proposals', () => {
  it('repeat themselves ever more slowly under one leader, and at once to a new one', async () => {
    const clock = new ManualClock();
    const sent: number[] = [];
    const member = new MemberState();
    const proposals = new Proposals(
      {
        clock, events: silent, workers, load: { full: false }, leadership: member.leadership,
        driver: { propose: () => void sent.push(clock.now()) },
      },
      { incarnation: 1, timeoutMs: 7_000, maxPending: 10, retryMs: 1_000 },
    );
    member.lead(2, 1);
    const done = proposals.propose({ kind: 'put', request: put('a', 'b') });
    done.catch(() => undefined);
    for (let ms = 0; ms < 3_500; ms += 50) {
      clock.advance(50);
      proposals.tick();
    }
    assert.deepEqual(sent, [0, 1_000, 3_000]);
    member.lead(3, 2);
    assert.deepEqual(sent, [0, 1_000, 3_000, 3_500]);
    clock.advance(1_000);
    proposals.tick();
    assert.equal(sent.at(-1), 4_500, 'a new leader may be told again after the first interval');
    clock.advance(4_000);
    proposals.tick();
    await assert.rejects(done, (error) => codeOf(error) === 'TIMEOUT');
    assert.equal(proposals.size, 0);
  });

  it('C1 one that has no room further on is refused here, a large one is not repeated while it may be on its way', async () => {
    const clock = new ManualClock();
    const sent: number[] = [];
    const member = new MemberState();
    const proposals = new Proposals(
      {
        clock, events: silent, workers, load: { full: false }, leadership: member.leadership,
        driver: { propose: (data) => void sent.push(data.length) },
      },
      { incarnation: 1, timeoutMs: 7_000, maxPending: 10, retryMs: 1_000 },
    );
    member.lead(2, 1);
    const request = put('a', 'b');
    const tooLarge = { ...request, value: new Uint8Array(MAX_ENTRY_BYTES) };
    await assert.rejects(proposals.propose({ kind: 'put', request: tooLarge }), (error) => codeOf(error) === 'REQUEST_TOO_LARGE');
    assert.deepEqual([sent, proposals.size], [[], 0]);
    const large = proposals.propose({ kind: 'put', request: { ...request, value: new Uint8Array(60 * MiB) } });
    const small = proposals.propose({ kind: 'put', request });
    for (const done of [large, small]) done.catch(() => undefined);
    const [first = 0] = sent;
    assert.ok(first > 60 * MiB);
    clock.advance(7_900);
    proposals.tick();
    await assert.rejects(small, (error) => codeOf(error) === 'TIMEOUT');
    assert.equal(sent.filter((bytes) => bytes === first).length, 1, 'it has a second for each 8 MiB');
    clock.advance(200);
    proposals.tick();
    assert.equal(sent.filter((bytes) => bytes === first).length, 2);
    proposals.stop();
  });

  it('C1 a new leader is told what waits in order, a bounded piece in a turn', () => {
    const world = new World(2_000);
    world.member.lead(2, 1);
    for (let i = 0; i < 1_000; i++) world.propose(16 * KiB);
    assert.equal(world.sent.length, 1_000);
    const before = world.sent.splice(0);
    world.member.lead(3, 2);
    let turns = 0;
    for (let last = 0; world.sent.length < 1_000; turns++) {
      assert.ok(world.handed() - last <= MiB + 17 * KiB, `${world.handed() - last} bytes in a turn`);
      last = world.handed();
      const next = world.turns.shift();
      assert.ok(next, 'it goes on by itself');
      next();
    }
    assert.ok(turns >= 15, `${turns} turns`);
    assert.ok(world.sent.every((data, i) => data === before[i]), 'in order, each once');
    world.proposals.stop();
  });

  it('C1 a short overload makes clients wait, what is beyond the bound is refused, and what waits too long too', async () => {
    const world = new World(100);
    world.member.lead(2, 1);
    world.load.full = true;
    const outcomes = Array.from({ length: 101 }, () => world.propose());
    await Promise.resolve();
    assert.deepEqual(outcomes.map(({ code }) => code), [...Array.from({ length: 100 }, () => 'waits'), 'TOO_MANY_REQUESTS']);
    world.clock.advance(1_000);
    world.proposals.tick();
    assert.equal(world.sent.length, 0, 'the log gets nothing meanwhile');
    world.load.full = false;
    world.clock.advance(10);
    assert.equal(world.sent.length, 100);
    world.load.full = true;
    world.proposals.stop();
    const late = new World(100);
    late.member.lead(2, 1);
    late.load.full = true;
    const outcome = late.propose();
    late.clock.advance(7_000);
    late.proposals.tick();
    await Promise.resolve();
    assert.equal(outcome.code, 'TOO_MANY_REQUESTS', 'nobody has seen it: it is known that it was not done');
    assert.equal(late.proposals.size, 0);
    late.proposals.stop();
  });

  it('C1 the entry of a large request is made in slices, and counts meanwhile', async () => {
    const world = new World(2);
    world.member.lead(2, 1);
    world.propose(20 * MiB);
    assert.deepEqual([world.sent.length, world.proposals.size, world.pauses.length], [0, 1, 1]);
    world.propose();
    const refused = world.propose();
    await Promise.resolve();
    assert.equal(refused.code, 'TOO_MANY_REQUESTS');
    let slices = 0;
    for (; world.sent.length < 2; slices++) {
      world.pauses.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(slices < 1_000);
    }
    assert.ok(slices > 100, `${slices} slices`);
    const record = decodeLogRecord(world.sent[1] as Uint8Array);
    assert.ok(record.kind === 'kv' && record.command.kind === 'put' && record.command.request.value.length === 20 * MiB);
    world.proposals.stop();
    const ended = new World(2);
    const large = ended.propose(MiB);
    ended.proposals.stop();
    while (ended.pauses.length > 0) {
      ended.pauses.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual([large.code, ended.proposals.size, ended.sent.length], ['STOPPED', 0, 0]);
  });
});
