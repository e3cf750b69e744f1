/**
 * `client.backup`: the bytes of a backup, as the asked member streams them. What came is whole only
 * if the stream ends without an error; the file says of itself whether it is good.
 */

import { EMPTY } from '../base/bytes.js';
import { ReflectedRpc, type Message } from '../api/protos/reflected-rpc.js';
import { callStream } from './call.js';
import type { CallOptions, Caller } from './caller.js';
import { numberOf } from './message.js';

export interface BackupBlob {
  readonly bytes: Uint8Array;
  /** What is to come, without the 32 bytes of the digest at the end. */
  readonly remainingBytes: number;
}

export interface BackupOptions extends CallOptions {
  /**
   * Names of tables that need not come, `<file digest>-<birth>`: they are in the folder of an
   * earlier backup.
   */
  readonly held?: readonly string[];
}

/** No deadline by default. */
export async function* backupOf(caller: Caller, { held = [], ...options }: BackupOptions): AsyncGenerator<BackupBlob, void, undefined> {
  const whole = held.length === 0;
  const rpc = whole ? new ReflectedRpc('etcdserverpb.Maintenance', 'Snapshot', 'read') : new ReflectedRpc('kintsugi.v1.Backup', 'Save', 'read');
  for await (const message of callStream(caller, rpc, whole ? {} : { held }, options)) yield blobOf(message);
}

function blobOf(message: Message): BackupBlob {
  return { bytes: (message['blob'] as Uint8Array | undefined) ?? EMPTY, remainingBytes: numberOf(message, 'remaining_bytes') };
}
