/** The one command that runs a case again. */

import type { SimOptions } from '../../sim/model/result.js';
import { formatSecondsUs } from './options.js';

export function replayFlags(options: SimOptions): string {
  const parts = [`--seed ${options.seed}`];
  if (options.profile !== 'table') parts.push(`--profile ${options.profile}`);
  if (options.only !== undefined) parts.push(`--only ${options.only.length === 0 ? 'none' : options.only.join(',')}`);
  if (options.faultsUntilUs !== undefined) parts.push(`--until ${formatSecondsUs(options.faultsUntilUs)}`);
  return parts.join(' ');
}

export function replayCommand(options: SimOptions, more = ''): string {
  return `npm run sim -- ${replayFlags(options)}${more === '' ? '' : ` ${more}`}`;
}
