/**
 * What lies where, by path alone: cheap, and good enough until somebody who knows the layouts says
 * it exactly.
 */

import { ASIDE_FOLDER } from '../../replica/readmission/set-aside.js';
import type { Structure } from '../model/fault.js';

/** What a member that is re-admitted has set aside is what it was. */
export function ownPath(path: string): string {
  return path.startsWith(`${ASIDE_FOLDER}/`) ? path.split('/').slice(2).join('/') : path;
}

export function structureByPath(of: string): Structure {
  const path = ownPath(of);
  if (path.startsWith('tables/')) return 'table-data';
  if (path.startsWith('log/')) return 'log-record';
  if (path.startsWith('hardstate')) return 'hardstate-slot';
  if (path.startsWith('manifest/')) return 'manifest-record';
  if (path.startsWith('hints')) return 'hints-file';
  if (path.startsWith('promises')) return 'promises-file';
  if (isOfIdentity(path)) return 'joined-file';
  // Nothing is lost with the reserve, as with a repair.
  if (path.startsWith('repairs') || path.startsWith('reserve')) return 'repairs-file';
  return 'directory';
}

/** Files that say who a member is, is to be, or seems to have been, with their copies. */
export function isOfIdentity(path: string): boolean {
  return path.startsWith('joined') || path.startsWith('recovering') || path.startsWith('refused');
}

/** Of a name: the file as a whole. */
export function structureOfName(of: string): Structure {
  const path = ownPath(of);
  if (path.startsWith('tables/')) return 'table-file';
  if (path.startsWith('log/')) return 'log-file';
  if (path.startsWith('hardstate')) return 'hardstate-file';
  if (path.startsWith('manifest/')) return 'manifest-file';
  return structureByPath(path);
}
