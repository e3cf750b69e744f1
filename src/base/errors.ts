/**
 * One error class per folder, all of this shape: a code from a closed union, data that a program
 * can read, a message that begins with the code, a cause. What a caller may do about an error
 * follows from its code, never from where it was thrown.
 */

/** Base of every typed error in the project. */
export abstract class KintsugiError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: Code, message: string, data: Record<string, unknown> = {}, cause?: unknown) {
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.data = data;
  }
}

/** Bytes that do not parse. Thrown by every decoder in the project; nothing was changed. */
export class CodecError extends KintsugiError<'CODEC'> {
  override readonly name = 'CodecError';
  constructor(message: string, data: Record<string, unknown> = {}) {
    super('CODEC', message, data);
  }
}

export type DiskErrorCode =
  | 'NOT_FOUND'
  | 'EXISTS'
  | 'READ_FAILED'
  | 'WRITE_FAILED'
  | 'NO_SPACE'
  /**
   * fsync failed: the file is poisoned, nothing written to it since the last good sync may be
   * trusted.
   */
  | 'SYNC_FAILED'
  | 'LOCKED'
  | 'CLOSED'
  | 'IO';

/** The disk said no. `data` has `path` and, where known, `offset` and the system's `errno` name. */
export class DiskError extends KintsugiError<DiskErrorCode> {
  override readonly name = 'DiskError';
}

export type NetworkErrorCode = 'UNREACHABLE' | 'TIMEOUT' | 'REMOTE' | 'CLOSED' | 'TOO_LARGE' | 'REMOVED' | 'OTHER_MEMBER';

/**
 * A peer could not be reached or refused. `REMOTE` carries the peer's own words; `REMOVED`: it says
 * that this member was removed from the cluster; `OTHER_MEMBER`: another member, perhaps of another
 * cluster, is found where it should be.
 */
export class NetworkError extends KintsugiError<NetworkErrorCode> {
  override readonly name = 'NetworkError';
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of a typed error, or undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof KintsugiError ? error.code : undefined;
}
