/**
 * What a member that asks to be re-admitted still has of its old id, for the others: entries of its
 * log, the newest version that its disk holds, blocks of its tables. D1 It may be the last good
 * copy of any of them. Nothing of it is changed, and nothing is claimed by it: an entry is named by
 * index and term, a block by its digest, and all in a version was committed.
 */

import type { Closeable } from '../../base/acquiring.js';
import { EMPTY } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import { DiskError, messageOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import type { LogPosition, Version } from '../../storage/version/version.js';
import { TableServer } from '../fetch/table-server.js';
import { logAtRest } from '../log/log-at-rest.js';
import { LogServer } from '../log-recovery/log-server.js';
import { RestingLog } from '../log-recovery/resting-log.js';
import { VERSION_METHOD } from '../snapshot/peer-versions.js';
import { messageOfVersion, VERSION_PART_METHOD } from '../snapshot/version-message.js';
import { servePart } from '../snapshot/version-part.js';
import type { CallServer, EarlyHandler } from './early-handler.js';
import type { Asked } from './left-paths.js';
import { LeftTables } from './left-tables.js';
import { versionAtRest } from './version-at-rest.js';

export const LEFT_STATE_GIVEN = 'what this member has left of log and tables is given to the others meanwhile';
export const LEFT_STATE_UNREAD = 'what this member has left of log and tables cannot be read';

/** A version that is not a replica's: nothing of it goes while it is given. */
export class LeftVersion implements CallServer {
  readonly #env: Pick<Env, 'workers'>;
  readonly #version: Version;

  constructor(env: Pick<Env, 'workers'>, version: Version) {
    this.#env = env;
    this.#version = version;
  }

  takes(method: string): boolean {
    return method === VERSION_METHOD || method === VERSION_PART_METHOD;
  }

  kept(_to: NodeId, { index, term }: LogPosition): Version | undefined {
    const { last } = this.#version;
    return index === last.index && term === last.term ? this.#version : undefined;
  }

  /** Rejects with CodecError. */
  async answer(method: string, request: Uint8Array): Promise<Uint8Array> {
    const version = this.#version;
    if (method === VERSION_METHOD) return version.flushed.index > 0 ? messageOfVersion(version) : EMPTY;
    return servePart(this.#env, this, 0, request);
  }
}

/**
 * From now on others are given what is here, until what it resolves with is closed. `asked`: for
 * what leads to blocks of tables.
 */
export async function giveLeftState(env: Env, asked: Asked, early: EarlyHandler): Promise<Closeable> {
  let tables: LeftTables | undefined;
  try {
    const { version, generation } = await versionAtRest(env.disk, env.workers);
    const log = await logAtRest(env.disk, version.flushed, version.last.index);
    early.serveLog(new LogServer(new RestingLog(log)));
    tables = new LeftTables(env, asked, version);
    early.serveTables(new TableServer(env, tables));
    // Without a manifest it is not known which version is here, or whether there is none.
    if (generation > 0) early.serveVersion(new LeftVersion(env, version));
    const data = { after: log.base.index, lastIndex: log.lastIndex, flushed: version.flushed.index, tables: version.list().length };
    env.events.emit({ type: 'warning', message: LEFT_STATE_GIVEN, data });
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    env.events.emit({ type: 'warning', message: LEFT_STATE_UNREAD, data: { why: messageOf(error) } });
  }
  return { close: () => tables?.close() };
}
