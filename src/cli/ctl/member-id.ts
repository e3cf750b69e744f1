/** Members as an operator names them: by their id in hex. */

import { UsageFault } from './context.js';

export function memberIdOf(args: readonly string[], command: string): bigint {
  if (args.length !== 1) throw new UsageFault(`${command}: member ID is not provided`);
  const text = args[0] ?? '';
  if (!/^[0-9a-fA-F]{1,16}$/.test(text)) throw new UsageFault(`bad member ID arg (${JSON.stringify(text)}), expecting ID in Hex`);
  return BigInt(`0x${text}`);
}
