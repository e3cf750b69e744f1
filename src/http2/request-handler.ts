/**
 * The layer above HTTP/2. One object serves all connections; what it keeps for a request it keeps
 * in `stream.app`. For each request: `request` once, `data` until it says that the request has
 * ended, and `over` once, whatever ended it. After `over` nothing of the four is called for it.
 */

import type { RequestHead } from './request-head.js';
import type { Http2Stream } from './stream.js';

export interface RequestHandler {
  /** A well-formed request. `ended`: no body follows. The head is shared, and may be kept. */
  request(stream: Http2Stream, head: RequestHead, ended: boolean): void;
  /**
   * A part of the body: `bytes` in [from, to), which is overwritten after the return and may be
   * empty. What was used up is told with `stream.consumed`; `over` gives back the rest. `ended`:
   * the last one (trailers of a request are not passed on).
   */
  data(stream: Http2Stream, bytes: Uint8Array, from: number, to: number, ended: boolean): void;
  /** `stream.data` has returned false, and now more may come. */
  writable(stream: Http2Stream): void;
  /**
   * The stream is closed: nothing can be sent any more, and all that was counted is given back.
   * `complete`: the whole response went out. It may be called from inside of the methods of the
   * stream that end it (`respond`, `respondOnly`, `trailers`, `reset`).
   */
  over(stream: Http2Stream, complete: boolean): void;
}
