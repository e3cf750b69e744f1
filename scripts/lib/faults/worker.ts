/**
 * A process that runs one case of a campaign after another for its parent. A rejection that nobody
 * awaits and an exception that nobody catches would have ended a real member: the case is wrong.
 */

import process from 'node:process';
import { messageOf } from '../../../src/base/errors.js';
import { nodePump } from '../../../src/cli/sim/pump.js';
import { openCampaign, type CampaignName } from '../../../src/sim/campaigns/campaigns.js';
import type { CaseResult } from '../../../src/sim/campaigns/case-result.js';
import { isPowerOff } from '../../../src/sim/cluster/power-off.js';

export interface Done {
  readonly number: number;
  readonly result: CaseResult;
}

let broken: string | undefined;
const breaks = (error: unknown): void => {
  if (!isPowerOff(error)) broken ??= error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
};
process.on('unhandledRejection', breaks);
process.on('uncaughtException', breaks);
process.on('disconnect', () => process.exit(0));

const { pump } = nodePump();
const run = await openCampaign(process.argv[2] as CampaignName, pump);
process.on('message', (number: number) => {
  void (async () => {
    broken = undefined;
    let result: CaseResult;
    try {
      result = await run(number);
    } catch (error) {
      result = { expected: 'recovered', outcome: 'wrong', why: error instanceof Error ? (error.stack ?? error.message) : messageOf(error) };
    }
    await new Promise((resolve) => void setImmediate(resolve));
    if (broken !== undefined) result = { ...result, outcome: 'wrong', why: broken };
    process.send?.({ number, result } satisfies Done);
  })();
});
process.send?.('ready');
