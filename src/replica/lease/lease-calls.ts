/**
 * What members ask of the leader about leases, as bytes: keep-alives of many leases in one call,
 * and the time that is left of one. What is refused says its code.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LeaseId } from '../../base/ids.js';
import { ETCD_MESSAGES, EtcdError, type EtcdErrorCode } from '../../api/etcd-error.js';
import type { TimeLeft } from './lessor.js';

export const KEEP_ALIVE_METHOD = 'lease.keep-alive';
export const TIME_LEFT_METHOD = 'lease.time-left';

const REFUSED = 0;
const ANSWERED = 1;
const ID_BYTES = 8;

export function encodeIds(ids: readonly LeaseId[]): Uint8Array {
  const out = new ByteWriter(8 + ID_BYTES * ids.length).varint(ids.length);
  for (const id of ids) out.i64(id);
  return out.finish();
}

/** Throws CodecError. */
export function decodeIds(bytes: Uint8Array): LeaseId[] {
  const input = new ByteReader(bytes, 'leases of a call');
  const ids: LeaseId[] = [];
  for (let left = input.count(ID_BYTES); left > 0; left--) ids.push(input.i64());
  input.end();
  return ids;
}

export function encodeTtls(ttls: readonly number[]): Uint8Array {
  const out = new ByteWriter(8 + 2 * ttls.length).u8(ANSWERED).varint(ttls.length);
  for (const ttl of ttls) out.varint(ttl);
  return out.finish();
}

/** Throws CodecError, and what the leader has refused it with. */
export function decodeTtls(bytes: Uint8Array, expected: number): number[] {
  const input = answerOf(bytes);
  const ttls: number[] = [];
  for (let left = input.count(1); left > 0; left--) ttls.push(input.varint());
  input.end();
  if (ttls.length !== expected) throw new CodecError(`keep-alives of ${expected} leases are answered for ${ttls.length}`);
  return ttls;
}

export function encodeTimeLeft(left: TimeLeft | undefined): Uint8Array {
  return new ByteWriter(24).u8(ANSWERED).varint(left?.granted ?? 0).varint(Math.floor(left?.leftMs ?? 0)).finish();
}

/** As {@link decodeTtls}. */
export function decodeTimeLeft(bytes: Uint8Array): TimeLeft | undefined {
  const input = answerOf(bytes);
  const left = { granted: input.varint(), leftMs: input.varint() };
  input.end();
  return left.granted === 0 ? undefined : left;
}

export function encodeRefusal({ code }: EtcdError): Uint8Array {
  return new ByteWriter(32).u8(REFUSED).text(code).finish();
}

function answerOf(bytes: Uint8Array): ByteReader {
  const input = new ByteReader(bytes, 'answer about leases');
  if (input.u8() === ANSWERED) return input;
  const code = input.text();
  if (!(code in ETCD_MESSAGES)) throw new CodecError(`a call about leases was refused as ${code}`);
  throw new EtcdError(code as EtcdErrorCode);
}
