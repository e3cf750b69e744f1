/**
 * S2: after the op at an index the logical manifest is the same on every node, byte for byte, and
 * so is the durable one as of it.
 */

import { digest128 } from '../../../base/digest.js';
import type { Digest128, LogIndex, NodeId } from '../../../base/ids.js';
import type { Version } from '../../../storage/version/version.js';
import { encodeManifest } from '../../../storage/version/manifest-codec.js';
import type { Reporter } from '../base/reporter.js';

interface Known {
  readonly digest: Digest128;
  readonly node: NodeId;
}

export class ManifestMatching {
  readonly #reporter: Reporter;
  /** By the index of the last op. */
  readonly #known = new Map<LogIndex, Known>();
  readonly #checked = new Map<NodeId, Version>();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** The op at `manifest.last.index` was just applied, or the version was taken over as a whole. */
  check(node: NodeId, manifest: Version): void {
    const { index } = manifest.last;
    if (index === 0) return;
    const digest = digest128(encodeManifest(manifest));
    const known = this.#known.get(index);
    if (known === undefined) this.#known.set(index, { digest, node });
    else if (known.digest !== digest) {
      this.#reporter.broken('equal logical manifest at equal applied index', node, `S2 nodes ${known.node} and ${node} have other manifests as of ${index}`);
    }
  }

  /** Now and then: looked at once per version. */
  durable(node: NodeId, manifest: Version): void {
    if (this.#checked.get(node) === manifest) return;
    this.#checked.set(node, manifest);
    this.check(node, manifest);
  }
}
