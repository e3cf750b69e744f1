/**
 * What carries the bytes of one connection: a socket, a TLS socket, a test, the simulator. A
 * transport never calls the connection back before its own method has returned.
 */

/** What became of the bytes of one {@link Transport.write}. */
export type Written =
  /** The transport is done with them: they may be overwritten at once. */
  | 'taken'
  /** It still holds them: they must not be overwritten any more. */
  | 'kept'
  /**
   * Kept, and no more is wanted until `ServerConnection.drained` is called, but for the last words
   * before `end`.
   */
  | 'full';

/** What a transport carries bytes for. */
export interface Carried {
  receive(chunk: Uint8Array): void;
  /** What waits leaves now. */
  flush(): void;
  /** After 'full': more is wanted. */
  drained(): void;
  /** The transport is gone. */
  closed(): void;
}

export interface Transport {
  /**
   * All bytes, in order, in one system call where there is one. The list itself is the caller's
   * again after the return, whatever becomes of the bytes.
   */
  write(pieces: readonly Uint8Array[]): Written;
  /**
   * No more `receive` until `resume`, however often it is called; one that is on its way already
   * may still come.
   */
  pause(): void;
  resume(): void;
  /**
   * Closes orderly after what was written. What arrives until then is read and may be given to the
   * connection, which drops it: bytes left unread would make the system reset the connection and
   * lose what was written last.
   */
  end(): void;
  /** Closes now; what was written may be lost. `ServerConnection.closed` is called later. */
  destroy(): void;
}
