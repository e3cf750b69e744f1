/** What a member that is to be re-admitted asks, and what it is told. */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { decodeDescription, encodeDescription, type ClusterDescription } from '../state/description.js';
import { readIds, readTexts, writeIds, writeTexts } from '../state/members-codec.js';
import type { Claim } from './rules.js';

export const READMIT_METHOD = 'member.readmit';

const FORMAT = 1;

export interface AdmissionRequest extends Claim {
  readonly clusterId: bigint;
  /** The new id: whoever asks again under it is answered the same. */
  readonly id: NodeId;
  /** Passed on by a member that does not lead: not passed on again. */
  readonly passedOn: boolean;
}

export type AdmissionAnswer =
  | {
      readonly says: 'admitted';
      /** The member whose vote it gets later; 0: none. */
      readonly replaces: NodeId;
      /** The commit index when it was let in, or later. */
      readonly past: LogIndex;
      readonly description: ClusterDescription;
    }
  /** The member that was asked is to be re-admitted itself. */
  | { readonly says: 'asks' }
  /** The old id was removed from the cluster. */
  | { readonly says: 'removed' }
  | { readonly says: 'refused'; readonly code: string; readonly why: string };

const ANSWERS: readonly AdmissionAnswer['says'][] = ['admitted', 'asks', 'removed', 'refused'];

export function encodeAdmissionRequest({ clusterId, id, passedOn, shown, place }: AdmissionRequest): Uint8Array {
  const out = writeIds(new ByteWriter(128).u8(FORMAT).u64(clusterId).u53(id).u8(Number(passedOn)), shown);
  out.u8(Number(place !== undefined));
  if (place !== undefined) writeTexts(out.text(place.name), place.peerUrls);
  return out.finish();
}

/** Throws CodecError. */
export function decodeAdmissionRequest(bytes: Uint8Array): AdmissionRequest {
  const input = new ByteReader(bytes, 'request to be re-admitted');
  refuseOther(input.u8());
  const [clusterId, id, passedOn, shown] = [input.u64(), input.u53(), input.u8() !== 0, readIds(input)];
  const place = input.u8() === 0 ? undefined : { name: input.text(), peerUrls: readTexts(input) };
  input.end();
  if (id === 0) throw new CodecError('a request to be re-admitted under no id');
  return { clusterId, id, passedOn, shown, place };
}

export function encodeAdmissionAnswer(answer: AdmissionAnswer): Uint8Array {
  const out = new ByteWriter(256).u8(FORMAT).u8(ANSWERS.indexOf(answer.says));
  if (answer.says === 'admitted') out.u53(answer.replaces).u53(answer.past).bytes(encodeDescription(answer.description));
  else if (answer.says === 'refused') out.text(answer.code).text(answer.why);
  return out.finish();
}

/** Throws CodecError. */
export function decodeAdmissionAnswer(bytes: Uint8Array): AdmissionAnswer {
  const input = new ByteReader(bytes, 'answer to a request to be re-admitted');
  refuseOther(input.u8());
  const says = ANSWERS[input.u8()];
  switch (says) {
    case 'admitted': return { says, replaces: input.u53(), past: input.u53(), description: decodeDescription(input.bytes()) };
    case 'refused': return { says, code: input.text(), why: input.text() };
    case 'asks':
    case 'removed': return { says };
    case undefined: break;
  }
  throw new CodecError('an answer to a request to be re-admitted says nothing that is known');
}

function refuseOther(format: number): void {
  if (format !== FORMAT) throw new CodecError(`a question about re-admission has format ${format}, which is not known`);
}
