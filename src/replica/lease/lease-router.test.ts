import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Deferred } from '../../base/deferred.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { silent } from '../../base/testing/silent.js';
import { LeaseNews } from '../kv/lease-news.js';
import { NEWEST_VERSION } from '../base/protocol.js';
import { MemberState } from '../state/testing/member-state.js';
import { decodeIds, encodeTtls } from './lease-calls.js';
import { LeaseRouter, type LeaseRouterParts } from './lease-router.js';
import { settled } from './testing/lease-world.js';

interface Question {
  readonly at: number;
  readonly to: NodeId;
  readonly ids: readonly bigint[];
  readonly forMs: number;
  readonly answer: Deferred<Uint8Array>;
}

const TTL = 2;

/** A follower: what it asks of others is answered by the test, or never. */
class Asking {
  readonly clock = new ManualClock();
  readonly state = new MemberState(1).serve();
  readonly questions: Question[] = [];
  readonly router: LeaseRouter;

  constructor() {
    const { clock, state: { life, leadership }, questions } = this;
    const ask = (to: NodeId, _method: string, request: Uint8Array, forMs: number): Promise<Uint8Array> => {
      const answer = new Deferred<Uint8Array>();
      questions.push({ at: clock.now(), to, ids: decodeIds(request), forMs, answer });
      return answer.promise;
    };
    const parts = {
      env: { clock, events: silent, network: { ask, call: ask } },
      life, leadership,
      state: { version: NEWEST_VERSION, leaseNews: new LeaseNews() },
      progress: { applied: { subscribe: () => undefined } },
    };
    this.router = new LeaseRouter(parts as unknown as LeaseRouterParts, { electionMs: 1_000, timeoutMs: 7_000 });
  }

  async run(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 10) {
      this.clock.advance(Math.min(left, 10));
      await turn();
    }
  }

  answer(n: number): void {
    const { ids, answer } = this.questions[n] as Question;
    answer.resolve(encodeTtls(ids.map(() => TTL)));
  }
}

describe('the way of keep-alives to the leader', () => {
  it('those of one turn go together', async () => {
    const asking = new Asking();
    asking.state.lead(2, 1);
    const answers = [7n, 8n, 9n].map((id) => asking.router.keepAlive(id));
    await asking.run(10);
    assert.deepEqual(asking.questions.map(({ to, ids }) => ({ to, ids })), [{ to: 2, ids: [7n, 8n, 9n] }]);
    asking.answer(0);
    assert.deepEqual(await Promise.all(answers), [TTL, TTL, TTL]);
    assert.equal(asking.clock.timers, 0, 'nothing is left to be repeated');
  });

  it('whoever leads next is asked at once, however long the one before might still be silent', async () => {
    const asking = new Asking();
    asking.state.lead(2, 1);
    const answer = asking.router.keepAlive(7n);
    await asking.run(300);
    assert.equal(asking.questions.length, 1);
    // No leader is known for a while: the one before may lead still.
    asking.state.lead(0, 2);
    await asking.run(100);
    assert.equal(await settled(answer), false);
    asking.state.lead(3, 2);
    await turn();
    assert.deepEqual(asking.questions.map(({ to }) => to), [2, 3]);
    asking.answer(1);
    assert.equal(await answer, TTL);
    assert.equal(asking.clock.timers, 0);
  });

  it('an answer of the leader from before counts while no other is known', async () => {
    const asking = new Asking();
    asking.state.lead(2, 1);
    const answer = asking.router.keepAlive(7n);
    await asking.run(10);
    asking.state.lead(0, 2);
    asking.answer(0);
    assert.equal(await answer, TTL);
  });

  it('what is silent for half a second is asked again, and the first answer counts, to whichever it is', async () => {
    for (const which of [0, 1]) {
      const asking = new Asking();
      asking.state.lead(2, 1);
      const answer = asking.router.keepAlive(7n);
      await asking.run(520);
      assert.deepEqual(asking.questions.map(({ to }) => to), [2, 2]);
      asking.answer(which);
      assert.equal(await answer, TTL);
      await asking.run(1_000);
      assert.equal(asking.questions.length, 2);
    }
  });

  it('a link that is lost is no reason to wait', async () => {
    const asking = new Asking();
    asking.state.lead(2, 1);
    const answer = asking.router.keepAlive(7n);
    await asking.run(10);
    asking.questions[0]?.answer.reject(new NetworkError('UNREACHABLE', 'the stream is over'));
    await asking.run(40);
    assert.equal(asking.questions.length, 2);
    asking.answer(1);
    assert.equal(await answer, TTL);
  });

  it('C1 a leader that never answers is asked by few calls at a time, and no longer than the deadline', async () => {
    const asking = new Asking();
    asking.state.lead(2, 1);
    const answers = Array.from({ length: 20 }, (_, n) => asking.router.keepAlive(BigInt(n + 1)).catch(codeOf));
    // Each call ends when its time is over, as those of the network do.
    for (let ms = 0; ms < 8_000; ms += 10) {
      await asking.run(10);
      for (const { at, forMs, answer } of asking.questions) {
        if (asking.clock.now() >= at + forMs) answer.reject(new NetworkError('TIMEOUT', 'no answer'));
      }
    }
    assert.deepEqual(new Set(await Promise.all(answers)), new Set(['TIMEOUT']));
    const { length } = asking.questions;
    assert.ok(length <= 2 * (7_000 / 500), `${length} calls`);
    await asking.run(5_000);
    assert.equal(asking.questions.length, length);
  });
});
