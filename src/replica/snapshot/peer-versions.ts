/** The durable versions of the peers, each pinned by its owner for the member that asked. */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import { codeOf, messageOf, NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import type { Version } from '../../storage/version/version.js';
import type { SnapshotSender } from './snapshot-sender.js';
import { messageOfVersion, receiveVersion } from './version-message.js';

export const VERSION_METHOD = 'snapshot.manifest';

const CALL_MS = 5_000;

/** The serving side: the durable version, pinned for `to`; empty if nothing was flushed yet. */
export function serveVersion(sender: SnapshotSender, to: NodeId): Uint8Array {
  const manifest = sender.giveVersion(to);
  assert(manifest === undefined || manifest.flushed.index > 0, `S5 ${to} is given what tables hold`);
  return manifest ? messageOfVersion(manifest) : EMPTY;
}

export interface PeerVersion {
  readonly from: NodeId;
  readonly manifest: Version;
}

export interface PeerVersions {
  /** Of those that flushed anything. */
  readonly found: readonly PeerVersion[];
  /** Peers that answered. */
  readonly answered: number;
  /** Who says that this member was removed. */
  readonly removedBy: readonly NodeId[];
}

export async function askForVersions(env: Env, peers: readonly NodeId[]): Promise<PeerVersions> {
  const replies = await Promise.all(peers.map((peer) => ask(env, peer)));
  return {
    found: replies.filter((reply) => typeof reply === 'object'),
    answered: replies.filter((reply) => typeof reply === 'object' || reply === 'none').length,
    removedBy: peers.filter((_, i) => replies[i] === 'removed'),
  };
}

/** The newest of those that `suit`. */
export function newest(found: readonly PeerVersion[], suits: (manifest: Version) => boolean): PeerVersion | undefined {
  let best: PeerVersion | undefined;
  for (const version of found) {
    if (suits(version.manifest) && (!best || version.manifest.last.index > best.manifest.last.index)) best = version;
  }
  return best;
}

async function ask(env: Env, from: NodeId): Promise<PeerVersion | 'none' | 'removed' | undefined> {
  try {
    const reply = await env.network.call(from, VERSION_METHOD, EMPTY, CALL_MS);
    return reply.length === 0 ? 'none' : { from, manifest: (await receiveVersion(env, from, reply)).manifest };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    if (error instanceof NetworkError && error.code === 'REMOVED') return 'removed';
    if (!(error instanceof NetworkError)) {
      env.events.emit({ type: 'warning', message: 'a peer sent a version that does not parse', data: { from, why: messageOf(error) } });
    }
    return undefined;
  }
}
