/**
 * The version of the cluster was lowered for an operator, and since then nothing has raised it. It
 * is sealed once, by the first seal after that: version 1 could not write it again, and an older
 * program passes over it. The leader leaves the version where it is as long as it is there.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { ClusterVersion, LogIndex } from '../../base/ids.js';

export interface Lowered {
  /** The version since then. */
  readonly target: ClusterVersion;
  /** The entry that has lowered it. */
  readonly at: LogIndex;
  /** The last entry that only a later version could read; through >= at. */
  readonly through: LogIndex;
}

const FORMAT = 1;

export function encodeLowered({ target, at, through }: Lowered): Uint8Array {
  return new ByteWriter(32).u8(FORMAT).varint(target).varint(at).varint(through).finish();
}

/** Throws CodecError. */
export function decodeLowered(bytes: Uint8Array): Lowered {
  const input = new ByteReader(bytes, 'downgrade');
  const format = input.u8();
  if (format !== FORMAT) throw new CodecError(`downgrade: format ${format} is not supported`);
  const lowered = { target: input.varint(), at: input.varint(), through: input.varint() };
  input.end();
  return lowered;
}
