import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import type { Env } from '../../base/env.js';
import { MemberState } from '../state/testing/member-state.js';
import type { Progress } from '../state/progress.js';
import { Gossip, type MemberNews } from './gossip.js';
import { Load, type LoadParts } from './load.js';

const COMMIT = 2_000_000;

describe('when writes wait', () => {
  let clock: ManualClock;
  let gossip: Gossip;
  let load: Load;
  let first: number;

  beforeEach(() => {
    clock = new ManualClock();
    first = 1;
    const env = { clock, network: { send: () => undefined } } as unknown as Env;
    const progress = { applied: { value: COMMIT }, flushed: 0 } as unknown as Progress;
    const { membership } = new MemberState();
    gossip = new Gossip({
      env, membership, progress, clientUrls: [], state: { newest: 1 }, hardState: { current: undefined }, log: { firstIndex: () => first },
    });
    load = new Load({
      tree: { sealedMemtables: 0, memtableBytes: 0, owed: () => [] }, state: { settings: undefined }, progress,
      driver: { node: { commit: COMMIT } } as unknown as LoadParts['driver'], gossip,
    });
  });

  function heard(from: number, applied: number): void {
    const news: MemberNews = { name: '', clientUrls: [], durableFlushed: 0, applied, newest: 1 };
    gossip.heard(from, news);
  }

  it('for a member that comes nearer, and is too far behind to be left alone', () => {
    heard(2, COMMIT - 10);
    heard(3, COMMIT - 400_000);
    assert.equal(load.full, false);
    heard(3, COMMIT - 600_000);
    assert.equal(load.full, true);
    clock.advance(1_000);
    heard(3, COMMIT - 499_000);
    assert.equal(load.full, false);
  });

  it('not for one that the log has not what it needs: it is to get tables, however long that takes', () => {
    first = COMMIT - 550_000;
    heard(3, COMMIT - 600_000);
    assert.equal(load.full, false);
    clock.advance(1_000);
    heard(3, COMMIT - 550_001);
    assert.equal(load.full, true, 'it has got them');
  });

  it('not for one that is down', () => {
    heard(3, COMMIT - 600_000);
    assert.equal(load.full, true);
    clock.advance(5_000);
    gossip.say();
    assert.equal(load.full, false);
  });

  it('not for one that stands still', () => {
    heard(3, COMMIT - 600_000);
    for (let second = 0; second < 6; second++) {
      clock.advance(1_000);
      heard(3, COMMIT - 600_000);
    }
    assert.equal(load.full, false);
    heard(3, COMMIT - 590_000);
    assert.equal(load.full, true, 'it moves again');
  });
});
