import assert from 'node:assert/strict';
import { simulate } from '../run.js';
import { planFaults } from '../faults/plan.js';
import { runSettings } from '../model/settings.js';
import { testPump } from '../testing/pump.js';
import { World } from '../world/world.js';

describe('operators in a simulated cluster', function () {
  this.timeout(120_000);

  it('R1 members are removed, added and replaced under clients, and the cluster comes to rest with those that are left', async () => {
    const seed = 2;
    const world = new World({ seed });
    const only = planFaults(world, 'members', runSettings(world)).flatMap(({ id, class: of }) => (of === 'member' ? [id] : []));
    const result = await simulate({ seed, profile: 'members', only }, { pump: testPump });
    assert.deepEqual(result.violations, []);
    assert.deepEqual(result.fenced, []);
    assert.ok(result.faults.members === only.length && only.length > 3);
    assert.ok((result.coverage['event members-changed'] ?? 0) > 20);
    assert.ok((result.coverage['members add answered'] ?? 0) > 0);
  });
});
