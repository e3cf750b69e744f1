/** `kintsugi start`: flags, environment and file to a running member. */

import { packageVersion, runNode } from '../../server/main.js';
import { buildConfig } from '../../server/options/config.js';
import { describeLimits } from '../../server/options/limits.js';
import { describeOptions, helpText, parseOptions } from '../../server/options/parse.js';

export async function start(args: readonly string[]): Promise<number> {
  const parsed = parseOptions(args, process.env);
  if (parsed.help) {
    process.stdout.write(`${helpText()}\n`);
    return 0;
  }
  if (parsed.version) {
    process.stdout.write(`kintsugi ${packageVersion()}\n`);
    return 0;
  }
  const config = buildConfig(parsed);
  if (parsed.check) {
    process.stdout.write(`${describeOptions(parsed)}\n${describeLimits(config.limits)}\n`);
    for (const notice of config.notices) process.stdout.write(`note: ${notice}\n`);
    return 0;
  }
  await runNode(config);
  return 0;
}
