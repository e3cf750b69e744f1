/** What calls may take of this process. All that is counted is given back when a call is over. */

export interface GrpcLimits {
  /** Bytes of one request message, also after it was inflated. A larger one is refused unread. */
  readonly maxReceiveBytes: number;
  /**
   * Bytes of requests that have come in part, that wait for their end or to be inflated, or that no
   * handler has asked for, over all calls of all connections; beyond them calls are refused. As
   * many again of requests that are being carried out.
   */
  readonly maxUnfinishedBytes: number;
  /**
   * How long a request may take to come: all of it where there is one, each message where there are
   * many. 0: as long as it likes.
   */
  readonly receiveMs: number;
  /** Bytes of large answers that callers have not taken, over all calls; of all answers twice. */
  readonly maxUnreadBytes: number;
  /** Bytes of answers of any size that one connection may leave untaken. */
  readonly maxUnreadOfConnection: number;
}
