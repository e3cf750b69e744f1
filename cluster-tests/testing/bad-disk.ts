/**
 * Says to members that were started with {@link BadDisks.binary} what their disks do (see
 * `bad-disk.mjs`): from the next call on, in all of them whose files a fault names.
 */

import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kintsugi, type Binary } from '../../scripts/lib/binary.js';
import { Cluster } from '../../scripts/lib/cluster.js';
import { ensureBuilt } from '../../scripts/lib/ensure-built.mjs';
import { Members } from '../../scripts/lib/members.js';
import { SMALL } from '../harness.js';

/** The calls of one kind on files whose whole path has a match of `path`. */
export interface DiskFault {
  readonly path: RegExp;
  readonly call: 'open' | 'read' | 'write' | 'sync';
  /** What they fail with. Without it they are late. */
  readonly errno?: 'EIO' | 'ENOSPC' | 'EROFS';
  /** By so much; until the fault is taken back, if it is not said. */
  readonly delayMs?: number;
  /** In each process the first ones alone. */
  readonly times?: number;
  /** Of opens those to write, too. */
  readonly toWrite?: true;
  /** Of writes those that want more room than the file has. */
  readonly grows?: true;
  /** Of reads and writes those that touch these bytes of the file. */
  readonly from?: number;
  readonly to?: number;
}

const PRELOAD = new URL('bad-disk.mjs', import.meta.url);

export class BadDisks {
  readonly binary: Binary;
  readonly #file: string;
  #number = 0;

  /** `file`: where what is said is written. */
  constructor(file: string, { args, ...program }: Binary = kintsugi()) {
    this.#file = file;
    const preload = new URL(PRELOAD);
    preload.searchParams.set('faults', file);
    this.binary = { ...program, args: ['--import', preload.href, ...args] };
  }

  /** In the place of those before. None: all disks are well. */
  are(...faults: readonly DiskFault[]): void {
    const said = faults.map((fault) => ({ ...fault, path: fault.path.source, number: ++this.#number }));
    writeFileSync(`${this.#file}.tmp`, JSON.stringify(said));
    renameSync(`${this.#file}.tmp`, this.#file);
  }
}

export interface OnBadDisks {
  readonly cluster: Cluster;
  readonly disks: BadDisks;
  readonly members: Members;
}

/** Three members that serve, on disks that do so far what disks do. */
export async function clusterOnBadDisks(dir: string): Promise<OnBadDisks> {
  ensureBuilt();
  const cluster = await Cluster.create({ binary: kintsugi(), dir, extraArgs: SMALL });
  const disks = new BadDisks(join(cluster.dir, 'faults'));
  disks.are();
  for (const each of cluster.nodes) each.start(disks.binary);
  await Promise.all(cluster.nodes.map((each) => each.waitReady(60_000)));
  const members = new Members(cluster);
  await members.ready();
  return { cluster, disks, members };
}
