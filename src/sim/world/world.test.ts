import assert from 'node:assert/strict';
import { testPump } from '../testing/pump.js';
import { simClock, simWorkers } from './sim-env.js';
import { World, type Process } from './world.js';

const processOf = (node: number): Process => ({ node, alive: true, stalledUntilUs: 0 });

describe('the simulated world', () => {
  it('runs events in the order of their times, and of their scheduling within one microsecond', async () => {
    const world = new World({ seed: 1 });
    const seen: string[] = [];
    for (const [name, at] of [['c', 20], ['a', 10], ['b', 10], ['d', 20]] as const) world.schedule(at, () => seen.push(`${name}${world.nowUs}`));
    world.schedule(15, () => seen.push('cancelled')).cancel();
    await world.run(testPump, 100);
    assert.deepEqual(seen, ['a10', 'b10', 'c20', 'd20']);
    assert.equal(world.nowUs, 100);
  });

  it('lets all promise callbacks of one event run before the next event', async () => {
    const world = new World({ seed: 1 });
    const seen: string[] = [];
    world.schedule(1, () => {
      void (async () => {
        for (let i = 0; i < 50; i++) await Promise.resolve();
        seen.push(`promises at ${world.nowUs}`);
      })();
    });
    world.schedule(1, () => seen.push('next event'));
    await world.run(testPump, 5);
    assert.deepEqual(seen, ['promises at 1', 'next event']);
  });

  it('a stalled event loop delays its own events and no others, in order, and its clock feels the stall at once', async () => {
    const world = new World({ seed: 1 });
    const [slow, other] = [processOf(1), processOf(2)];
    const clock = simClock(world, slow);
    const seen: string[] = [];
    world.schedule(10, () => {
      world.stall(slow, 500);
      seen.push(`slow reads ${clock.now()}`);
    }, slow);
    world.schedule(20, () => seen.push(`first ${world.nowUs}`), slow);
    world.schedule(30, () => seen.push(`other ${world.nowUs}`), other);
    world.schedule(40, () => seen.push(`second ${world.nowUs}`), slow);
    await world.run(testPump, 1_000);
    assert.deepEqual(seen, ['slow reads 0.51', 'other 30', 'first 510', 'second 510']);
  });

  it('a paused process goes on where it was; what was cancelled meanwhile does not run; a dead one never does', async () => {
    const world = new World({ seed: 1 });
    const [paused, dead] = [processOf(1), processOf(2)];
    const seen: string[] = [];
    world.pause(paused);
    world.schedule(10, () => seen.push(`one ${world.nowUs}`), paused);
    const timer = world.schedule(20, () => seen.push('cancelled'), paused);
    world.schedule(30, () => seen.push(`two ${world.nowUs}`), paused);
    world.schedule(35, () => seen.push('dead'), dead);
    world.schedule(25, () => (dead.alive = false));
    world.schedule(50, () => timer.cancel());
    world.schedule(100, () => world.resume(paused));
    await world.run(testPump, 1_000);
    assert.deepEqual(seen, ['one 100', 'two 100']);
  });

  it('what an event throws ends the process in the hands of the shell, and the world goes on', async () => {
    const thrown: unknown[] = [];
    const world = new World({ seed: 1, onThrow: (process, error) => thrown.push([process?.node, String(error)]) });
    world.schedule(1, () => {
      throw new Error('no');
    }, processOf(3));
    let after = false;
    world.schedule(2, () => (after = true));
    await world.run(testPump, 10);
    assert.deepEqual([thrown, after], [[[3, 'Error: no']], true]);
  });

  it('streams of chance are equal by name and seed, and independent of each other', () => {
    const draw = (seed: number, name: string): number[] => {
      const stream = new World({ seed }).stream(name);
      return Array.from({ length: 8 }, () => stream.uint32());
    };
    assert.deepEqual(draw(7, 'network'), draw(7, 'network'));
    assert.notDeepEqual(draw(7, 'network'), draw(8, 'network'));
    assert.notDeepEqual(draw(7, 'network'), draw(7, 'disk 1'));
    const tail = new World({ seed: 1 }).stream('tail');
    const mean = Array.from({ length: 20_000 }, () => tail.tail(1_000)).reduce((sum, n) => sum + n, 0) / 20_000;
    assert.ok(mean > 800 && mean < 1_200, `mean ${mean}`);
  });

  it('background work pauses often, for a short or a long while', async () => {
    const world = new World({ seed: 1 });
    const process = processOf(1);
    const workers = simWorkers(world, process, world.stream('slices'));
    let pauses = 0;
    void (async () => {
      for (let i = 0; i < 500; i++) {
        const pause = workers.breathe();
        if (pause) {
          pauses++;
          await pause;
        }
      }
    })();
    await world.run(testPump, 1_000_000);
    assert.ok(pauses > 20 && pauses < 200, `${pauses} pauses`);
    assert.ok(world.nowUs > 0);
  });
});
