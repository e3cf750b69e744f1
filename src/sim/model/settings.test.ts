import assert from 'node:assert/strict';
import { World } from '../world/world.js';
import { flagsOf, runSettings } from './settings.js';

describe('the flags of a life', () => {
  it('are those of the cluster in the first one, and others in some later ones, the same for the same seed', () => {
    let others = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const world = new World({ seed });
      const settings = runSettings(world);
      const again = new World({ seed });
      for (let life = 1; life <= 6; life++) {
        const flags = flagsOf(world, settings, 2, life);
        assert.deepEqual(flags, flagsOf(again, settings, 2, life));
        if (life === 1) assert.deepEqual(flags, { tree: settings.tree, cacheBytes: settings.cacheBytes });
        else if (flags.tree !== settings.tree) others++;
      }
    }
    assert.ok(others > 15 && others < 60, `${others} of 100`);
  });

  it('a third of the seeds has faults from the first moment', () => {
    const seeds = Array.from({ length: 300 }, (_, i) => runSettings(new World({ seed: i + 1 })).faultsFromUs);
    const first = seeds.filter((fromUs) => fromUs === 0).length;
    assert.ok(first > 70 && first < 130, `${first} of 300`);
  });
});
