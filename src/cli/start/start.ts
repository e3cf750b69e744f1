/** `kintsugi start`: flags, environment and file to a running member. */

import { packageVersion, runNode } from '../../server/main.js';
import { buildConfig } from '../../server/options/config.js';
import { describeLimits } from '../../server/options/limits.js';
import type { Io } from '../ctl/context.js';
import { describeOptions, helpText, parseOptions } from '../../server/options/parse.js';

export async function start(args: readonly string[], io?: Pick<Io, 'out'>): Promise<number> {
  const out = (text: string): void => void (io === undefined ? process.stdout.write(text) : io.out(text));
  const parsed = parseOptions(args, process.env);
  if (parsed.help) {
    out(`${helpText()}\n`);
    return 0;
  }
  if (parsed.version) {
    out(`kintsugi ${packageVersion()}\n`);
    return 0;
  }
  const config = buildConfig(parsed);
  if (parsed.check) {
    out(`${describeOptions(parsed)}\n${describeLimits(config.limits)}\n`);
    for (const notice of config.notices) out(`note: ${notice}\n`);
    return 0;
  }
  await runNode(config);
  return 0;
}
