import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import type { Env } from '../../base/env.js';
import type { HardState } from '../../raft/types.js';
import { MemberState } from '../state/testing/member-state.js';
import type { Progress } from '../state/progress.js';
import { Gossip, type GossipParts, type MemberNews } from './gossip.js';

const NEWS: MemberNews = { name: 'n2', clientUrls: ['http://127.0.0.1:2379'], durableFlushed: 0, applied: 0, newest: 1 };

describe('gossip', () => {
  let sent: number[];
  let term: number;
  let clock: ManualClock;
  let gossip: Gossip;

  beforeEach(() => {
    sent = [];
    term = 0;
    clock = new ManualClock();
    const env = { clock, network: { send: (to: number) => sent.push(to) } } as unknown as Env;
    const hardState = {
      get current() {
        return { term } as HardState;
      },
    } as unknown as GossipParts['hardState'];
    const progress = { applied: { value: 0 }, flushed: 0 } as unknown as Progress;
    gossip = new Gossip({
      env, membership: new MemberState().membership, progress, clientUrls: ['http://127.0.0.1:2380'], state: { newest: 1 }, hardState,
      log: { firstIndex: () => 1 },
    });
  });

  it('R5 a member of no term yet says nothing, whoever it hears of', () => {
    gossip.tick();
    gossip.say();
    gossip.heard(2, NEWS);
    gossip.tick();
    assert.deepEqual(sent, []);
  });

  it('its first news leave with its first term, not a second later', () => {
    gossip.say();
    clock.advance(50);
    term = 1;
    gossip.tick();
    assert.deepEqual(sent, [2, 3]);
    gossip.tick();
    assert.deepEqual(sent, [2, 3], 'once');
  });

  it('whom it hears of for the first time it tells at once', () => {
    term = 1;
    gossip.tick();
    sent.length = 0;
    gossip.heard(2, NEWS);
    assert.deepEqual(sent, [2]);
    gossip.heard(2, NEWS);
    assert.deepEqual(sent, [2], 'once: they do not answer each other for ever');
    assert.deepEqual(gossip.of(2)?.clientUrls, NEWS.clientUrls);
  });
});
