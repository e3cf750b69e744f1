/**
 * Seeds that once found a bug. Each must pass for ever; what it found and what fixed it is told
 * beside it.
 */

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SIM_PROFILES } from '../../sim/model/profile.js';
import type { SimOptions } from '../../sim/model/result.js';
import { UsageFault } from './options.js';

const ENTRY = z.strictObject({
  seed: z.number().int().nonnegative(),
  profile: z.enum(SIM_PROFILES),
  /** `Violation.check` as it was. */
  check: z.string().min(1),
  /** What went wrong, in a sentence. */
  found: z.string().min(1),
  fixedBy: z.string().min(1),
  /** A case that was shrunk. */
  only: z.array(z.number().int().nonnegative()).optional(),
  untilSeconds: z.number().positive().optional(),
});

export type Regression = z.infer<typeof ENTRY>;

export function loadRegressions(path: string): readonly Regression[] {
  try {
    return z.array(ENTRY).parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : error instanceof Error ? error.message : String(error);
    throw new UsageFault(`${path} is no list of regressions: ${why}`);
  }
}

export function optionsOf(entry: Regression): SimOptions {
  const { seed, profile, only, untilSeconds } = entry;
  return {
    seed, profile,
    ...(only === undefined ? {} : { only }),
    ...(untilSeconds === undefined ? {} : { faultsUntilUs: Math.round(untilSeconds * 1e6) }),
  };
}
