/**
 * Configuration changes as the payload of a log entry. The empty payload is the empty change: leave
 * the joint configuration.
 */

import { assert } from '../base/assert.js';
import { ByteReader, ByteWriter, EMPTY } from '../base/bytes.js';
import { CodecError } from '../base/errors.js';
import type { ConfChange, ConfChangeSingle, ConfChangeType } from './types.js';

const TRANSITIONS: readonly ConfChange['transition'][] = ['auto', 'implicit', 'explicit'];
const TYPES: readonly ConfChangeType[] = ['addVoter', 'addLearner', 'remove', 'update'];

export function encodeConfChange(change: ConfChange): Uint8Array {
  const { transition, changes } = change;
  if (transition === 'auto' && changes.length === 0 && change.context === undefined) return EMPTY;
  const out = new ByteWriter(32);
  out.u8(numberOf(TRANSITIONS, transition)).varint(changes.length);
  for (const { type, nodeId } of changes) out.u8(numberOf(TYPES, type)).varint(nodeId);
  if (change.context !== undefined) out.bytes(change.context);
  return out.finish();
}

export function decodeConfChange(bytes: Uint8Array): ConfChange {
  if (bytes.length === 0) return { transition: 'auto', changes: [] };
  const input = new ByteReader(bytes, 'configuration change');
  const transition = pick(TRANSITIONS, input.u8(), 'transition');
  const count = input.count(2);
  const changes: ConfChangeSingle[] = [];
  for (let i = 0; i < count; i++) {
    const type = pick(TYPES, input.u8(), 'type');
    changes.push({ type, nodeId: input.varint() });
  }
  const context = input.remaining > 0 ? { context: input.bytes() } : {};
  input.end();
  return { transition, changes, ...context };
}

function numberOf<T>(of: readonly T[], value: T): number {
  const at = of.indexOf(value);
  assert(at >= 0, `configuration change: ${String(value)} has a number`);
  return at;
}

function pick<T>(from: readonly T[], at: number, what: string): T {
  const value = from[at];
  if (value === undefined) throw new CodecError(`configuration change: unknown ${what} ${at}`);
  return value;
}
