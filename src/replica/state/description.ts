/** What a member that joins asks the members of the cluster, before it knows who it is. */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { Members } from './members.js';
import { readMembers, writeMembers } from './members-codec.js';

export const DESCRIBE_METHOD = 'cluster.describe';

export interface ClusterDescription {
  readonly clusterId: bigint;
  readonly members: Members;
}

export function encodeDescription({ clusterId, members }: ClusterDescription): Uint8Array {
  return writeMembers(new ByteWriter(256).u64(clusterId), members).finish();
}

/** Throws CodecError. */
export function decodeDescription(bytes: Uint8Array): ClusterDescription {
  const input = new ByteReader(bytes, 'description of a cluster');
  const description = { clusterId: input.u64(), members: readMembers(input) };
  input.end();
  return description;
}
