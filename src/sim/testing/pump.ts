/** The pump of tests: the command's own. */

import { nodePump } from '../../cli/sim/pump.js';
import type { Pump } from '../world/world.js';

export const testPump: Pump = nodePump().pump;
