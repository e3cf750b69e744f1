import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { NodeWorkers } from './node-env.js';

/** Works until it is told to pause. */
function worked(breathe: () => Promise<void> | undefined): Promise<void> {
  for (;;) {
    const pause = breathe();
    if (pause !== undefined) return pause;
  }
}

describe('slices of long work', () => {
  let workers: NodeWorkers;
  /** Who works asks each time a tenth of a millisecond later: so no other process counts. */
  let clock: number;
  const now = (): number => (clock += 0.1);

  beforeEach(() => {
    clock = 0;
    workers = new NodeWorkers(now);
  });

  /** Whether it is over after one turn of the event loop. */
  async function overInATurn(pause: Promise<void>): Promise<boolean> {
    let over = false;
    void pause.then(() => (over = true));
    await turn();
    await turn();
    return over;
  }

  /** Milliseconds of the machine's own clock; timers of the system may be one early. */
  async function restOf(pause: () => Promise<void> | undefined): Promise<number> {
    const began = performance.now();
    await pause();
    return performance.now() - began + 1;
  }

  it('C1 what nobody waits for leaves the others their slice, and they leave it its own', async () => {
    const behind = worked(() => workers.behind.breathe());
    assert.equal(workers.breathe(), undefined);
    assert.equal(workers.breathe(), undefined);
    await behind;
    const before = worked(() => workers.breathe());
    assert.equal(workers.behind.breathe(), undefined);
    await before;
  });

  it('C1 large reads, however many, leave apply its slice, and count as work for what nobody waits for', async () => {
    const reads = [worked(() => workers.reading.breathe()), worked(() => workers.reading.breathe())];
    assert.equal(workers.breathe(), undefined);
    await Promise.all(reads);
    const apply = worked(() => workers.breathe());
    assert.equal(workers.reading.breathe(), undefined);
    await apply;
    const idle = new NodeWorkers(now);
    assert.equal(idle.reading.breathe(), undefined);
    const rested = await restOf(() => worked(() => idle.behind.breathe()));
    assert.ok(rested >= 20, `it rested for ${rested} ms`);
  });

  it('C1 what may take a while has a part of each turn, and goes on in the next while others work', async () => {
    const between = worked(() => workers.between.breathe());
    const others = worked(() => workers.breathe());
    assert.ok(await overInATurn(between));
    await others;
  });

  it('C1 what nobody waits for rests while others work, and goes on at once while nobody does', async () => {
    assert.ok(await overInATurn(worked(() => workers.behind.breathe())));
    assert.equal(workers.breathe(), undefined);
    const rested = await restOf(() => worked(() => workers.behind.breathe()));
    assert.ok(rested >= 20, `it rested for ${rested} ms`);
  });

  it('C1 what nobody waits for rests longer after a slice that took longer than it was given', async () => {
    assert.equal(workers.behind.breathe(), undefined);
    void workers.breathe();
    clock += 1;
    const rested = await restOf(() => workers.behind.breathe());
    assert.ok(rested >= 40, `it rested for ${rested} ms`);
  });

  it('C1 what nobody waits for rests also when the processor was long with other processes', async () => {
    void workers.breathe();
    assert.equal(workers.behind.breathe(), undefined);
    clock += 40;
    const rested = await restOf(() => workers.behind.breathe());
    assert.ok(rested >= 100, `it rested for ${rested} ms`);
  });

  it('C1 what must keep up and what others wait for leave each other their slices', async () => {
    const merge = worked(() => workers.beside.breathe());
    assert.equal(workers.breathe(), undefined);
    assert.equal(workers.breathe(), undefined);
    await merge;
    const apply = worked(() => workers.breathe());
    assert.equal(workers.beside.breathe(), undefined);
    await apply;
  });

  it('two pieces of work behind others share one slice', async () => {
    const pause = worked(() => workers.behind.breathe());
    assert.equal(workers.behind.breathe(), pause);
    await pause;
  });

  function busy(ms: number): void {
    for (const began = performance.now(); performance.now() - began < ms;);
  }

  it('idle processors are those of the time since they were last asked for', () => {
    const machine = new NodeWorkers();
    assert.equal(machine.idleProcessors(), undefined, 'nobody has asked before');
    busy(50);
    const idle = machine.idleProcessors();
    assert.ok(idle !== undefined && idle >= 0 && idle <= cpus().length, `${idle}`);
  });

  it('where the system does not tell what processors did, none is taken for busy', () => {
    for (const told of [[], [{ times: { idle: 0 } }]]) {
      const untold = new NodeWorkers(undefined, () => told);
      untold.idleProcessors();
      busy(5);
      assert.equal(untold.idleProcessors(), undefined);
    }
  });
});
