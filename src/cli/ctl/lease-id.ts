/** Leases as an operator names them: by their id in hex. */

import { UsageFault } from './context.js';

const HIGHEST = 0x7fff_ffff_ffff_ffffn;

export function leaseIdOf(text: string): bigint {
  const id = /^-?[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text.replace('-', '')}`) : undefined;
  if (id === undefined || id > HIGHEST) throw new UsageFault(`bad lease ID ${JSON.stringify(text)}, expecting ID in Hex`);
  return text.startsWith('-') ? -id : id;
}

/** As Go prints `%016x`. */
export function leaseName(id: bigint): string {
  return id < 0n ? `-${(-id).toString(16).padStart(15, '0')}` : id.toString(16).padStart(16, '0');
}
