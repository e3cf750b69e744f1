/** A version from its bytes, at once. */

import { atOnce } from '../../../base/drive.js';
import { decodeManifestInSlices } from '../manifest-codec.js';
import type { Version } from '../version.js';

export function decodeManifest(bytes: Uint8Array): Version {
  return atOnce(decodeManifestInSlices(bytes));
}
