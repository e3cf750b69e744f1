import assert from 'node:assert/strict';
import { get, put } from '../../api/testing/requests.js';
import { must } from '../../base/assert.js';
import { testPump } from '../testing/pump.js';
import { Author, pastSettings } from './author.js';
import { SECOND_US } from './trial.js';

const HOUR_MS = 3_600_000;

interface Lived {
  /** Of all that happened, event by event. */
  readonly digest: string;
  /** Seconds after which the lease was found to have ended. */
  readonly ended: number;
  readonly walls: readonly number[];
}

/** Writes, a lease that ends and one that is kept, scrubs, an election: for half a minute. */
async function live(jumps: readonly (readonly [machine: number, atSeconds: number, byMs: number])[]): Promise<Lived> {
  const author = new Author(11, 'wall clocks', pastSettings(), testPump);
  const { trial } = author;
  for (const [machine, at, byMs] of jumps) trial.wall.jump(machine, at * SECOND_US, byMs);
  await author.begin();
  const leader = await author.led();
  const { store } = must(leader.running, 'it leads');
  const granted = await asked(trial, store.lease.grant({ id: 7n, ttl: 6 }));
  assert.equal(granted.ttl, 6);
  await asked(trial, store.put({ ...put('leased', 'x'), lease: 7n }));
  const from = trial.world.nowUs;
  let ended = 0;
  while (ended === 0) {
    await author.writes(3);
    await trial.pass(SECOND_US / 4);
    if ((await asked(trial, store.range(get('leased')))).count === 0) ended = (trial.world.nowUs - from) / SECOND_US;
  }
  for (const { running } of trial.up) await asked(trial, must(running, 'it is up').store.scrub(() => undefined));
  trial.end(leader);
  await author.led();
  trial.restart(leader);
  await author.writes(10);
  await trial.pass(5 * SECOND_US);
  assert.deepEqual(trial.violations, []);
  const walls = trial.up.map(({ running }) => must(running, 'it is up').replica.options.env.clock.wallNow());
  return { digest: trial.world.trace.digest(), ended, walls };
}

async function asked<T>(trial: Author['trial'], request: Promise<T>): Promise<T> {
  let answer: { readonly value: T } | undefined;
  void request.then((value) => (answer = { value }));
  await trial.until(() => answer !== undefined, 30 * SECOND_US);
  return must(answer, 'it is answered').value;
}

describe('clocks on the wall', function () {
  this.timeout(60_000);

  it('R4 change nothing when they jump: leases, elections, scrubs and writes are, event by event, what they were', async () => {
    const still = await live([]);
    const moved = await live([
      [1, 0, -HOUR_MS], [2, 2, 24 * HOUR_MS], [3, 3, -9 * HOUR_MS], [1, 4, 5 * HOUR_MS], [2, 7, -48 * HOUR_MS], [3, 9, 60_000],
    ]);
    assert.ok(still.ended >= 6 && still.ended < 9, `the lease ended after ${still.ended} s`);
    assert.deepEqual([moved.digest, moved.ended], [still.digest, still.ended]);
    assert.notDeepEqual(moved.walls, still.walls);
  });
});
