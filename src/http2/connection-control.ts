/** What those who handle the frames of a connection may make it do. */

export interface ConnectionControl {
  /** Ends it with an error of `Http2Code` (RFC 9113, 5.4.1); nothing that follows is read. */
  fail(code: number): void;
  /** A PING came back with this number. */
  pingAnswered(number: number): void;
}
