import assert from 'node:assert/strict';
import { ManualClock } from '../base/testing/manual-clock.js';
import { SharedPage } from './shared-page.js';

describe('SharedPage', () => {
  const clock = new ManualClock();
  let made = 0;
  let costMs = 0;
  let broken = false;
  const page = (freshMs: number): SharedPage =>
    new SharedPage(clock, freshMs, async () => {
      made++;
      clock.advance(costMs);
      if (broken) throw new Error('no page');
      return `page ${made}`;
    });

  beforeEach(() => {
    made = 0;
    costMs = 0;
    broken = false;
  });

  it('is made once for all who ask while it is made or fresh, and they get the same bytes', async () => {
    const shared = page(1_000);
    const all = await Promise.all(Array.from({ length: 1_000 }, () => shared.get()));
    clock.advance(999);
    all.push(await shared.get());
    assert.equal(new Set(all).size, 1);
    clock.advance(1);
    assert.equal((await shared.get()).toString(), 'page 2');
  });

  it('is kept for longer the longer it takes to make, up to a second', async () => {
    const shared = page(0);
    await shared.get();
    await shared.get();
    assert.equal(made, 2);
    costMs = 20;
    await shared.get();
    clock.advance(179);
    await shared.get();
    assert.equal(made, 3);
    costMs = 5_000;
    clock.advance(1);
    await shared.get();
    clock.advance(999);
    await shared.get();
    assert.equal(made, 4);
    clock.advance(1);
    await shared.get();
    assert.equal(made, 5);
  });

  it('that could not be made is tried again by the next who asks', async () => {
    const shared = page(1_000);
    broken = true;
    await assert.rejects(shared.get(), /no page/);
    broken = false;
    assert.equal((await shared.get()).toString(), 'page 2');
  });
});
