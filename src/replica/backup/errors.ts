/** What keeps a backup from being used. Damage is an operating error, never an assertion. */

import { KintsugiError } from '../../base/errors.js';

export type BackupErrorCode =
  /** The file does not begin as a backup does, or is too short to be one. */
  | 'NOT_A_BACKUP'
  /** A newer program wrote it. */
  | 'FORMAT_NEWER'
  /** Bytes are not what they were when the backup was made. `data`: damages. */
  | 'DAMAGED'
  /** Tables that it shares with other backups are not in the folder. */
  | 'INCOMPLETE'
  /** The data directory is in use. */
  | 'NOT_EMPTY';

export class BackupError extends KintsugiError<BackupErrorCode> {
  override readonly name = 'BackupError';
}

/** A stretch of a file of the backup that is not what it was. */
export interface BackupDamage {
  /** Which file of a folder; empty: the archive itself. */
  readonly file: string;
  readonly offset: number;
  readonly length: number;
  readonly why: string;
}

export function describeDamage({ file, offset, length, why }: BackupDamage): string {
  return `${file === '' ? '' : `${file}: `}bytes ${offset} to ${offset + length}: ${why}`;
}
