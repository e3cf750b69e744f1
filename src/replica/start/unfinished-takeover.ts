/**
 * What was staged beside a data directory takes its place: by renames, one after the other, with
 * what was there set aside. A mark says that it has begun, and how far it is, so that it can go on
 * after a crash; while it lies there the directory is neither the old nor the new one, and R5 no
 * member begins on it.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Disk } from '../../base/disk.js';
import { CodecError, messageOf } from '../../base/errors.js';
import { replaceFile } from '../../base/replace-file.js';
import { ReplicaError } from '../base/errors.js';

/** Its file. */
export const TAKEOVER_MARK = 'takeover';

/**
 *   setting-aside   what was there is the old cluster's, and goes aside
 *   placing         nothing of it is left: what is staged goes into its place
 */
const PHASES = ['setting-aside', 'placing'] as const;

export interface Takeover {
  readonly phase: (typeof PHASES)[number];
  /** The folder of what was there. */
  readonly aside: string;
  /** What goes on with it. */
  readonly command: string;
}

/** Durable when it resolves. */
export async function markTakeover(disk: Disk, { phase, aside, command }: Takeover): Promise<void> {
  const body = new ByteWriter(256).u8(PHASES.indexOf(phase)).text(aside).text(command).finish();
  const bytes = new ByteWriter(body.length + 4).u32(crc32c(body)).raw(body).finish();
  await replaceFile(disk, TAKEOVER_MARK, bytes, { unlinkFirst: true });
}

/** Undefined: none has begun. Rejects with DiskError, and ReplicaError if it cannot be read. */
export async function readTakeover(disk: Disk): Promise<Takeover | undefined> {
  const size = disk.sizeOf(TAKEOVER_MARK);
  if (size === undefined) return undefined;
  const bytes = new Uint8Array(size);
  const file = await disk.open(TAKEOVER_MARK, 'read');
  try {
    await file.read(bytes, 0);
    const input = new ByteReader(bytes, TAKEOVER_MARK);
    if (input.u32() !== crc32c(bytes.subarray(4))) throw new CodecError('its checksum is wrong');
    const phase = PHASES[input.u8()];
    if (phase === undefined) throw new CodecError('of a phase that is not known');
    return { phase, aside: input.text(), command: input.text() };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new ReplicaError('TAKEOVER_UNFINISHED',
      `R5 a new cluster was being made here, and the file ${TAKEOVER_MARK} that says how far it is cannot be read (${messageOf(error)}): ` +
        'what was there is in the folder before-..., what was to take its place in new-cluster: put either into its place, then remove the file');
  } finally {
    file.close();
  }
}

/** Throws ReplicaError TAKEOVER_UNFINISHED. Nothing is written. */
export async function refuseUnfinishedTakeover(disk: Disk): Promise<void> {
  const begun = await readTakeover(disk);
  if (begun === undefined) return;
  throw new ReplicaError('TAKEOVER_UNFINISHED',
    `R5 a new cluster was being made of this data directory, and that was cut short. Run it again, it goes on where it was: ${begun.command}`);
}
