/** What one connection may cost: each number bounds something that a client could make grow. */

import { KiB, MiB } from '../base/bytes.js';

export interface Http2Limits {
  /**
   * Streams that a client may have open at once (SETTINGS_MAX_CONCURRENT_STREAMS); what is above is
   * refused with REFUSED_STREAM. As many more may be over while the layer above still holds them.
   */
  readonly maxConcurrentStreams: number;
  /**
   * Bytes of the decoded fields of one request (SETTINGS_MAX_HEADER_LIST_SIZE, RFC 9113, 6.5.2);
   * above it the answer is 431, and the connection lives on.
   */
  readonly maxHeaderListBytes: number;
  /** Bytes of one request that may be here and not consumed (SETTINGS_INITIAL_WINDOW_SIZE). */
  readonly streamWindowBytes: number;
  /** The same for all requests of a connection; HTTP/2 makes it at least 65,535. */
  readonly connectionWindowBytes: number;
  /**
   * Bytes of output that a transport may hold for a peer which does not read; beyond it the
   * transport answers 'full', and nothing more is read from this peer until it has drained.
   */
  readonly maxUnsentBytes: number;
  /**
   * A peer has to take something of a response that waits for it within so many milliseconds, to
   * twice as many; else the response is dropped and its stream reset. Transports go by it too.
   */
  readonly stalledMs: number;
  /** A peer that was silent for so many milliseconds is pinged; 0: never. */
  readonly keepaliveMs: number;
  /** Milliseconds for the answer to that ping; then the connection is closed. */
  readonly keepaliveTimeoutMs: number;
  /**
   * Milliseconds for preface and SETTINGS, for the acknowledgement of ours, for a header block in
   * pieces, for the answer to the ping of a drain, and for a closed connection to be gone.
   */
  readonly handshakeMs: number;
}

export const DEFAULT_HTTP2_LIMITS: Http2Limits = {
  maxConcurrentStreams: 10_000,
  maxHeaderListBytes: 64 * KiB,
  streamWindowBytes: 1 * MiB,
  connectionWindowBytes: 16 * MiB,
  maxUnsentBytes: 1 * MiB,
  stalledMs: 60_000,
  keepaliveMs: 7_200_000,
  keepaliveTimeoutMs: 20_000,
  handshakeMs: 10_000,
};
