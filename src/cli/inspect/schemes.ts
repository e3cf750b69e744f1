/** Schemes to look for where nothing says which one a file has. */

import { DEFAULT_SCHEME, type EccScheme } from '../../ecc/scheme.js';

function all(): EccScheme[] {
  const schemes: EccScheme[] = [DEFAULT_SCHEME, { kind: 'secded' }, { kind: 'none' }];
  for (let k = 2; k <= 32; k++) schemes.push({ kind: 'xor', k });
  for (let k = 2; k <= 32; k++) for (let m = 2; m <= 4; m++) schemes.push({ kind: 'rs', k, m });
  return schemes;
}

export const SCHEMES_TO_TRY: readonly EccScheme[] = all();
