/**
 * The log's form of what is done to leases: a compact, canonical encoding. Decoding validates
 * everything that it reads (CodecError).
 */

import { unreachable } from '../../base/assert.js';
import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LeaseCommand } from './command.js';

const GRANT = 1;
const REVOKE = 2;
const CHECKPOINT = 3;

export function encodeLeaseCommand(out: ByteWriter, command: LeaseCommand): void {
  switch (command.kind) {
    case 'lease-grant': return void out.u8(GRANT).i64(command.request.id).varint(command.request.ttl);
    case 'lease-revoke': return void out.u8(REVOKE).i64(command.request.id);
    case 'lease-checkpoint':
      out.u8(CHECKPOINT).varint(command.request.checkpoints.length);
      for (const { id, remainingMs } of command.request.checkpoints) out.i64(id).varint(remainingMs);
      return;
    default: return unreachable(command);
  }
}

/** Reads one command and leaves the reader behind it. */
export function decodeLeaseCommand(input: ByteReader): LeaseCommand {
  const kind = input.u8();
  switch (kind) {
    case GRANT: {
      const request = { id: input.i64(), ttl: input.varint() };
      if (request.id === 0n || request.ttl === 0) throw new CodecError('a lease without an id or a time to live');
      return { kind: 'lease-grant', request };
    }
    case REVOKE: return { kind: 'lease-revoke', request: { id: input.i64() } };
    case CHECKPOINT: {
      const checkpoints = [];
      for (let left = input.count(9); left > 0; left--) checkpoints.push({ id: input.i64(), remainingMs: input.varint() });
      return { kind: 'lease-checkpoint', request: { checkpoints } };
    }
    default: throw new CodecError(`lease: unknown command ${kind}`);
  }
}
