import assert from 'node:assert/strict';
import { MiB } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { silent } from '../../base/testing/silent.js';
import { put } from '../../api/testing/requests.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { MAX_ENTRY_BYTES } from '../base/limits.js';
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

  it('C1 one that has no room further on is refused here, a large one is not repeated while it may be on its way', async () => {
    const clock = new ManualClock();
    const sent: number[] = [];
    const member = new MemberState();
    const proposals = new Proposals(
      { clock, events: silent, leadership: member.leadership, driver: { propose: (data) => void sent.push(data.length) } },
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
});
