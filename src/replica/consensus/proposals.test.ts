import assert from 'node:assert/strict';
import { codeOf } from '../../base/errors.js';
import { silent } from '../../base/testing/silent.js';
import { put } from '../../api/testing/requests.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { MemberState } from '../state/testing/member-state.js';
import { Proposals } from './proposals.js';

describe('proposals', () => {
  it('repeat themselves ever more slowly under one leader, and at once to a new one', async () => {
    const clock = new ManualClock();
    const sent: number[] = [];
    const member = new MemberState();
    const proposals = new Proposals(
      { clock, events: silent, leadership: member.leadership, driver: { propose: () => void sent.push(clock.now()) } },
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
});
