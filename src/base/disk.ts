/**
 * The disk as the store sees it. Paths are relative to the node's data directory, with '/' between
 * parts. What was written is durable only after `sync()` (contents) and, for a created, renamed,
 * linked or removed name, after `syncDir()` of its directory. Every method throws or rejects with
 * {@link DiskError}; `readSync` is short only at the end of the file.
 */

export type OpenMode =
  /** The file must exist; writes are refused. */
  | 'read'
  /** The file must exist. */
  | 'write'
  /** Created, or emptied if it exists. */
  | 'create'
  /** Created if missing, kept as it is otherwise. */
  | 'open-or-create';

export interface DiskFile {
  readonly path: string;
  /** Bytes. */
  size(): number;
  /** From the page cache, 1 to 2 us. Returns the number of bytes read. */
  readSync(into: Uint8Array, offset: number): number;
  /** On the thread pool. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Into the page cache: returns when the system has the bytes, not when the disk has. */
  writeSync(bytes: Uint8Array, offset: number): void;
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /**
   * fdatasync. After one failure every later write and sync of this file fails too (never retried).
   */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): void;
}

/** Bytes read by name past the caches. */
export interface DirectRead {
  /** Shorter than asked at the end of the file. */
  readonly bytes: Uint8Array;
  /** False where caches could not be passed: a plain read by name instead. */
  readonly pastCache: boolean;
}

export interface Disk {
  openSync(path: string, mode: OpenMode): DiskFile;
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Undefined if there is no such file. */
  sizeOf(path: string): number | undefined;
  /**
   * Reads by name past the page cache (O_DIRECT): never through a descriptor that may outlive the
   * name.
   */
  readDirect(path: string, offset: number, length: number): Promise<DirectRead>;
  /** Names in a directory, sorted; empty if it does not exist. */
  list(dir: string): Promise<string[]>;
  /** With parents; no error if it exists. */
  mkdir(dir: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Hard link; replaces `to` if it exists. A crash may leave `<to>.link` behind. */
  link(from: string, to: string): Promise<void>;
  /** No error if there is no such file. */
  unlink(path: string): Promise<void>;
  syncDir(dir: string): Promise<void>;
}
