/** The campaigns by name, and how many cases each has. */

import type { Pump } from '../world/world.js';
import type { CaseResult } from './case-result.js';
import { CtrlPlacements, PLACEMENTS } from './ctrl-4096.js';
import { CtrlRandom, RANDOM_CASES } from './ctrl-random.js';
import { Forgetting, FORGETTING_CASES } from './forgetting.js';
import { FileSystemFaults, FSMETA_CASES, FSMETA_WAITS } from './fsmeta.js';
import { Helix, HELIX_CASES } from './helix.js';

export const CAMPAIGNS = {
  'ctrl-4096': PLACEMENTS, 'ctrl-random': RANDOM_CASES, fsmeta: FSMETA_CASES, helix: HELIX_CASES, wipe: FORGETTING_CASES, rollback: FORGETTING_CASES,
} as const;
/** So many may wait although the bytes that are left allow more; none may lose anything. */
export const MAY_WAIT: Partial<Record<CampaignName, number>> = { fsmeta: FSMETA_WAITS };
export type CampaignName = keyof typeof CAMPAIGNS;

/** What runs one case of it, from 0 on: a function of the number alone. */
export async function openCampaign(name: CampaignName, pump: Pump): Promise<(number: number) => Promise<CaseResult>> {
  switch (name) {
    case 'ctrl-4096': {
      const placements = await CtrlPlacements.prepare(pump);
      return (number) => placements.run(number, pump);
    }
    case 'ctrl-random': {
      const random = new CtrlRandom(pump);
      return (number) => random.run(number);
    }
    case 'fsmeta': {
      const files = new FileSystemFaults(pump);
      return (number) => files.run(number);
    }
    case 'wipe':
    case 'rollback': {
      const forgetting = new Forgetting(pump, name);
      return (number) => forgetting.run(number);
    }
    case 'helix': {
      const helix = new Helix(pump);
      return (number) => helix.run(number);
    }
  }
}
