import assert from 'node:assert/strict';
import { Deferred } from '../../base/deferred.js';
import { KiB, MiB, utf8 } from '../../base/bytes.js';
import { silent } from '../../base/testing/silent.js';
import { testClock } from '../../base/testing/test-env.js';
import { newMessage } from '../../raft/message.js';
import type { Entry, Message, Snapshot } from '../../raft/types.js';
import { WriteQueue, type Write, type WriteOwner } from './write-queue.js';

const entries = (from: number, to: number, term = 1): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ index: from + i, term, type: 'normal', data: utf8('x') }));
/** Of `bytes` each. */
const large = (from: number, to: number, bytes: number): Entry[] =>
  entries(from, to).map((entry) => ({ ...entry, data: new Uint8Array(bytes) }));
const answer = (index: number): Message => Object.assign(newMessage('MsgAppResp', 1, 2, 1), { index });

/** A log and a hard state that take as long as the test says, and a note of what happened. */
class Bench implements WriteOwner {
  readonly done: string[] = [];
  readonly gates: Deferred<void>[] = [];
  last = 0;
  current = { term: 1, vote: 0 };
  readonly queue: WriteQueue;
  onWritten: () => void = () => undefined;

  constructor() {
    const log = {
      append: async (batch: readonly Entry[], commit: number) => {
        await this.#held(`append ${batch[0]?.index}-${batch.at(-1)?.index} commit ${commit}`);
        this.last = batch.at(-1)?.index ?? this.last;
      },
      lastIndex: () => this.last,
    };
    const hardState = {
      current: this.current,
      update: async (patch: Partial<typeof this.current>) => {
        await this.#held(`term ${patch.term} vote ${patch.vote}`);
        Object.assign(this.current, patch);
      },
    };
    const parts = { env: { clock: testClock, events: silent }, log, hardState };
    this.queue = new WriteQueue(parts as unknown as ConstructorParameters<typeof WriteQueue>[0], {
      installSnapshot: (snapshot) => this.#held(`snapshot ${snapshot.metadata.index}`),
    }, this);
  }

  async #held(what: string): Promise<void> {
    this.done.push(what);
    const gate = new Deferred<void>();
    this.gates.push(gate);
    await gate.promise;
  }

  /** The operation in flight ends, well or not. */
  async end(error?: Error): Promise<void> {
    const gate = this.gates.shift();
    assert.ok(gate, 'something is in flight');
    if (error) gate.reject(error);
    else gate.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }

  write(what: Partial<Write>): void {
    this.queue.add({ term: this.current.term, vote: this.current.vote, snapshot: undefined, entries: [], commit: 0, answers: [], ...what });
  }

  written(answers: readonly Message[]): void {
    this.done.push(`answers ${answers.map(({ index }) => index).join(' ')}`);
    this.onWritten();
  }

  writeFailed(error: unknown): void {
    this.done.push(`failed ${String(error)}`);
  }
}

describe('the queue of writes', () => {
  it('R2 what comes during a write goes into the next one, and each answer waits for its own', async () => {
    const bench = new Bench();
    bench.write({ entries: entries(1, 2), answers: [answer(2)] });
    bench.write({ entries: entries(3, 3), commit: 2, answers: [answer(3)] });
    bench.write({ commit: 3, answers: [answer(33)] });
    bench.write({ entries: entries(4, 9), commit: 3, answers: [answer(9)] });
    assert.deepEqual(bench.done, ['append 1-2 commit 0']);
    await bench.end();
    assert.deepEqual(bench.done.slice(1), ['answers 2', 'append 3-9 commit 3']);
    await bench.end();
    assert.deepEqual(bench.done.slice(3), ['answers 3 33 9']);
  });

  it('what asks for nothing durable is answered at once, but never before what was asked for earlier', async () => {
    const bench = new Bench();
    bench.write({ answers: [answer(1)] });
    bench.write({ entries: entries(1, 1), answers: [answer(2)] });
    bench.write({ answers: [answer(3)] });
    assert.deepEqual(bench.done, ['answers 1', 'append 1-1 commit 0']);
    await bench.end();
    assert.deepEqual(bench.done.slice(2), ['answers 2', 'answers 3']);
  });

  it('R1 R2 a new term is durable before the entries and the answers of it, and joins no earlier write', async () => {
    const bench = new Bench();
    bench.write({ entries: entries(1, 1), answers: [answer(1)] });
    bench.write({ entries: entries(2, 2), answers: [answer(2)] });
    bench.write({ term: 2, vote: 3, answers: [answer(22)] });
    bench.write({ term: 2, vote: 3, entries: entries(3, 3, 2), answers: [answer(3)] });
    await bench.end();
    await bench.end();
    assert.equal(bench.queue.durableTerm, 1);
    assert.deepEqual(bench.done, ['append 1-1 commit 0', 'answers 1', 'append 2-2 commit 0', 'answers 2', 'term 2 vote 3']);
    await bench.end();
    assert.equal(bench.queue.durableTerm, 2);
    assert.deepEqual(bench.done.slice(5), ['append 3-3 commit 0']);
    await bench.end();
    assert.deepEqual(bench.done.slice(6), ['answers 22 3']);
  });

  it('R3 a log that leads elsewhere, and a snapshot, are writes of their own', async () => {
    const bench = new Bench();
    bench.write({ entries: entries(1, 4) });
    bench.write({ entries: entries(5, 6) });
    bench.write({ entries: entries(3, 5, 2) });
    bench.write({ snapshot: { metadata: { index: 9 } } as Snapshot });
    bench.write({ entries: entries(10, 10, 2), commit: 9 });
    for (let i = 0; i < 5; i++) await bench.end();
    assert.deepEqual(bench.done.filter((what) => !what.startsWith('answers')), [
      'append 1-4 commit 0', 'append 5-6 commit 0', 'append 3-5 commit 0', 'snapshot 9', 'append 10-10 commit 9',
    ]);
  });

  it('what an answer leads to is written in its turn', async () => {
    const bench = new Bench();
    let asked = 0;
    bench.onWritten = () => {
      if (++asked === 1) bench.write({ entries: entries(3, 3), answers: [answer(3)] });
    };
    bench.write({ entries: entries(1, 1), answers: [answer(1)] });
    bench.write({ entries: entries(2, 2), answers: [answer(2)] });
    await bench.end();
    await bench.end();
    assert.deepEqual(bench.done, ['append 1-1 commit 0', 'answers 1', 'append 2-3 commit 0', 'answers 2 3']);
  });

  it('R2 a group commit holds what makes one batch of the log: the rest, and its answers, wait for the next', async () => {
    const bench = new Bench();
    bench.write({ entries: entries(1, 1), answers: [answer(1)] });
    for (let i = 0; i < 10; i++) bench.write({ entries: large(2 + 2 * i, 3 + 2 * i, 512 * KiB - 100), commit: i, answers: [answer(i)] });
    bench.write({ commit: 20, answers: [answer(99)] });
    await bench.end();
    await bench.end();
    assert.deepEqual(bench.done.slice(1), ['answers 1', 'append 2-9 commit 3', 'answers 0 1 2 3', 'append 10-17 commit 7']);
    await bench.end();
    await bench.end();
    assert.deepEqual(bench.done.slice(5), ['answers 4 5 6 7', 'append 18-21 commit 20', 'answers 8 9 99']);
  });

  it('one that is larger goes alone, with what asks for no entries', async () => {
    const bench = new Bench();
    bench.write({ entries: entries(1, 1) });
    bench.write({ entries: entries(2, 2), answers: [answer(2)] });
    bench.write({ entries: large(3, 3, 6 * MiB), answers: [answer(3)] });
    bench.write({ commit: 2, answers: [answer(33)] });
    bench.write({ entries: entries(4, 5), commit: 2, answers: [answer(5)] });
    for (let i = 0; i < 4; i++) await bench.end();
    assert.deepEqual(bench.done.slice(2), [
      'append 2-2 commit 0', 'answers 2', 'append 3-3 commit 2', 'answers 3 33', 'append 4-5 commit 2', 'answers 5',
    ]);
  });

  it('R2 after a failure nothing is written or answered any more', async () => {
    const bench = new Bench();
    bench.write({ entries: entries(1, 1), answers: [answer(1)] });
    bench.write({ entries: entries(2, 2), answers: [answer(2)] });
    await bench.end(new Error('EIO'));
    bench.write({ entries: entries(2, 2), answers: [answer(2)] });
    assert.deepEqual(bench.done, ['append 1-1 commit 0', 'failed Error: EIO']);
    await bench.queue.stop();
  });

  it('a stop waits for the write in flight, and nobody hears of it', async () => {
    const bench = new Bench();
    bench.write({ entries: entries(1, 1), answers: [answer(1)] });
    bench.write({ entries: entries(2, 2), answers: [answer(2)] });
    let stopped = false;
    const stop = bench.queue.stop().then(() => (stopped = true));
    await Promise.resolve();
    assert.equal(stopped, false);
    await bench.end();
    await stop;
    assert.deepEqual(bench.done, ['append 1-1 commit 0']);
  });
});
