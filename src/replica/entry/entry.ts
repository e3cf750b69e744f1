/**
 * What a log entry's payload says: one kind byte, then that kind's record. The log is the only
 * source of change (S1), so everything that a replica ever does to its keys or its tree is one of
 * these.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { readTreeSettings, writeTreeSettings, type TreeSettings } from '../../storage/base/settings.js';
import type { TreeOp } from '../../storage/version/tree-op.js';
import { readTreeOp, writeTreeOp } from '../../storage/version/manifest-codec.js';
import { decodeKvCommand, decodeProposalId, encodeKvCommand, encodeProposalId } from '../kv/command-codec.js';
import type { ProposalId } from '../kv/applied-ids.js';
import type { KvCommand } from '../kv/command.js';

/**
 * Kind bytes. Reserved for what later versions bring: 4 `Fail{k}`, 5 the cross-replica digest, 6 a
 * change of settings, 7 leases, 8 auth, 9 alarms, 10 a member's announcement. An entry of an
 * unknown kind stops the replica: applying the rest without it would fork it.
 */
const BOOTSTRAP = 1;
const KV = 2;
const TREE = 3;
const ENTRY_VERSION = 1;

export type LogRecord =
  /** The first leader's: what the cluster's tree starts with. Later ones are no-ops. */
  | { readonly kind: 'bootstrap'; readonly settings: TreeSettings }
  | { readonly kind: 'kv'; readonly id: ProposalId; readonly command: KvCommand }
  | { readonly kind: 'tree'; readonly op: TreeOp };

export function encodeBootstrap(settings: TreeSettings): Uint8Array {
  const out = new ByteWriter(64).u8(BOOTSTRAP).u8(ENTRY_VERSION);
  writeTreeSettings(out, settings);
  return readsBack(out.finish(), 'bootstrap');
}

const scratch = new ByteWriter(4096);

export function encodeKv(id: ProposalId, command: KvCommand): Uint8Array {
  assert(id.incarnation > 0 && id.sequence > 0, 'S2 a proposal has a name');
  const out = scratch.reset().u8(KV);
  encodeProposalId(out, id);
  encodeKvCommand(out, command);
  return out.finish();
}

export function encodeTreeOp(op: TreeOp): Uint8Array {
  const out = new ByteWriter(256).u8(TREE);
  writeTreeOp(out, op);
  return readsBack(out.finish(), 'tree');
}

/** S1 What goes into the log is what comes out of it on every replica. For what is rare. */
function readsBack(data: Uint8Array, kind: LogRecord['kind']): Uint8Array {
  assert(decodeLogRecord(data).kind === kind, `S1 an entry of kind ${kind} reads back as one`);
  return data;
}

/**
 * Throws CodecError: for committed bytes that means a version skew or memory damage, and the
 * replica stops.
 */
export function decodeLogRecord(data: Uint8Array): LogRecord {
  const input = new ByteReader(data, 'log entry');
  const kind = input.u8();
  let record: LogRecord;
  switch (kind) {
    case BOOTSTRAP: {
      const version = input.u8();
      if (version !== ENTRY_VERSION) throw new CodecError(`bootstrap entry of version ${version} is not supported`);
      record = { kind: 'bootstrap', settings: readTreeSettings(input) };
      break;
    }
    case KV: {
      const id = decodeProposalId(input);
      record = { kind: 'kv', id, command: decodeKvCommand(input) };
      break;
    }
    case TREE:
      record = { kind: 'tree', op: readTreeOp(input) };
      break;
    default:
      // S1 to go on without it would be to leave a change out.
      throw new CodecError(`log entry of unknown kind ${kind}: this member is older than the one that proposed it`);
  }
  input.end();
  return record;
}
