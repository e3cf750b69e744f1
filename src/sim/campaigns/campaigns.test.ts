import assert from 'node:assert/strict';
import { testPump } from '../testing/pump.js';
import { isCorrect } from './case-result.js';
import { openCampaign, type CampaignName } from './campaigns.js';

/** The first ones are those that once found something. */
const CASES: readonly (readonly [CampaignName, readonly number[]])[] = [
  ['ctrl-random', [4160, 7733, 4747, 12396, 13039, 13636, 120, 12130, 15400, 15636, 15833, 7837, 8265, 9236]],
  ['fsmeta', [80, 960, 7, 431, 162, 191]],
  ['helix', [3, 409, 806]],
  ['wipe', [7, 14]],
  ['rollback', [2, 8]],
];

describe('campaigns of faults, a sample', function () {
  this.timeout(60_000);

  for (const [name, numbers] of CASES) {
    it(`D1 R5 R6 ${name}: whatever has a copy is there again, and nothing is lost`, async () => {
      const run = await openCampaign(name, testPump);
      for (const number of numbers) {
        const result = await run(number);
        assert.ok(isCorrect(result), `${number}: ${JSON.stringify(result)}`);
      }
    });
  }
});
