/**
 * Damage to the files that say who a member is (`joined`), or is to be (`recovering`). Each is kept
 * twice, and a node survives the loss of either copy. A minority may lose both of `joined`: such a
 * member is re-admitted, unless it runs until it has written them anew. One that is being
 * re-admitted may find neither of `recovering` readable: it begins anew.
 */

import { equalBytes } from '../../base/bytes.js';
import { INTENT_FILE } from '../../replica/readmission/intent.js';
import { JOINED_FILE } from '../../replica/state/joined.js';
import { copyOf } from '../../replica/state/kept-twice.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { DiskFault } from '../model/fault.js';
import { changeOf, changing, stretchFor } from './change.js';
import { mayDoom, struck, type Strike } from './context.js';

const TAKING: ReadonlySet<DiskFault> = new Set(['missing', 'misnamed']);

export function strikeJoined(strike: Strike, node: SimNode): boolean {
  const { context, random } = strike;
  const there = [JOINED_FILE, INTENT_FILE].filter((path) => isWhole(node, path));
  if (there.length === 0) return false;
  const path = random.pick(there);
  // Without the file nothing says that what is missing beside it was set aside.
  const mayGo = path === JOINED_FILE ? there.length === 1 : !TAKING.has(strike.kind);
  const grave = mayGo && mayDoom(context, node) && random.chance(1, 2);
  const names = random.shuffled([path, copyOf(path)]).slice(0, grave ? 2 : 1);
  return names.filter((name) => damage(strike, node, name, grave)).length > 0;
}

/** Both are there, durable, and say the same. */
function isWhole({ disk }: SimNode, path: string): boolean {
  const [own, copy] = [disk.medium(path), disk.medium(copyOf(path))];
  return own !== undefined && copy !== undefined && equalBytes(own, copy) && !disk.isDirty(path) && !disk.isDirty(copyOf(path));
}

function damage(strike: Strike, node: SimNode, path: string, grave: boolean): boolean {
  const { random, kind } = strike;
  const { disk } = node;
  const size = disk.medium(path)?.length ?? 0;
  const told = (): boolean => {
    struck(strike, node.id, path, 0, size, grave);
    return true;
  };
  switch (kind) {
    case 'missing':
      return disk.remove(path) && told();
    case 'misnamed':
      return disk.rename(path, `lost-${path}`) && told();
    case 'truncated':
      return disk.resize(path, random.below(size)) && told();
    case 'extended':
      return disk.resize(path, size + 1 + random.below(600)) && told();
    default: {
      const whole = { offset: 0, length: size };
      const stretch = stretchFor(kind, random, whole, whole);
      const counted = changing(changeOf(kind, random));
      disk.alter(path, stretch.offset, counted.apply, stretch.length, random.chance(1, 2));
      return counted.changed() && told();
    }
  }
}
