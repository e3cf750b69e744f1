import assert from 'node:assert/strict';
import { Coverage } from '../model/coverage.js';
import { testPump } from '../testing/pump.js';
import { World, type Process } from '../world/world.js';
import { SimNetwork } from './sim-network.js';
import { FAIR } from './weather.js';

const SECOND_US = 1_000_000;

describe('late frames', () => {
  it('arrive seconds after the others, whatever became of the connection, and at no later life', async () => {
    const world = new World({ seed: 7 });
    const coverage = new Coverage();
    const network = new SimNetwork(world, [1, 2, 3], coverage);
    network.climate.everyDay = { ...FAIR, lateIn1000: 200 };
    const heard = new Map<number, number[]>();
    const live = (node: number): { readonly process: Process; readonly send: (to: number) => void } => {
      const process: Process = { node, alive: true, stalledUntilUs: 0 };
      const own = network.attach(process);
      heard.set(node, []);
      void own.start({
        onFrame: () => void heard.get(node)?.push(world.nowUs), onCall: (_, __, request) => Promise.resolve(request),
        onDisconnect: () => undefined, onRemoved: () => undefined,
      });
      return { process, send: (to) => own.send(to, Uint8Array.of(1)) };
    };
    const [one, , three] = [live(1), live(2), live(3)];
    const pass = (seconds: number): Promise<void> => world.run(testPump, world.nowUs + seconds * SECOND_US);
    await pass(1);
    for (let i = 0; i < 500; i++) one.send(2);
    for (let i = 0; i < 100; i++) one.send(3);
    await pass(1);
    const [inTime, before] = [heard.get(2)?.length ?? 0, heard.get(3)?.length ?? 0];
    assert.ok(inTime > 350 && inTime < 450 && before < 100, `${inTime} of 500, ${before} of 100`);
    const undo = network.cuts.cut(1, 2);
    three.process.alive = false;
    network.died(3);
    await pass(1);
    undo();
    live(3);
    await pass(40);
    const late = heard.get(2)?.slice(inTime) ?? [];
    assert.ok(late.length > 50 && inTime + late.length <= 500, `${late.length} late ones`);
    assert.ok(Math.max(...late) - Math.min(...late) > 10 * SECOND_US);
    assert.equal(heard.get(3)?.length, 0, 'nothing of an earlier life');
    assert.ok(coverage.count('network frame late') >= late.length);
  });
});
