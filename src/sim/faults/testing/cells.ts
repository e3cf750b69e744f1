/** What tests walk through. */

import { STRUCTURES, type FaultProfile } from '../../model/fault.js';
import { kindsOf, type Cell } from '../cells.js';

/** All that the profile can reach. */
export function possibleCells(profile: FaultProfile): Cell[] {
  return STRUCTURES.flatMap((structure) => kindsOf(structure, profile).map((kind) => ({ structure, kind })));
}
