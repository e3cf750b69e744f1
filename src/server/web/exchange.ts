/**
 * One request of HTTP and its answer, whichever version carries it. It is over exactly once: when
 * the answer has left, or when nobody waits for it any more. After that nothing is told, and what
 * is still given to it goes nowhere.
 */

import type { Pair } from '../../http2/hpack/header-list.js';

/** Who answers; told of all that happens to the exchange. */
export interface ExchangeUser {
  /** A part of the body, which is the user's. What was used up is told with `Exchange.took`. */
  data(bytes: Uint8Array): void;
  /** The body has ended. */
  ended(): void;
  /** `write` has returned false, and now more may come. */
  writable(): void;
  over(): void;
}

export interface Exchange {
  /** The same object for all that come on one connection, where they queue there. */
  readonly connection: object;
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  /** As sent, with its port. */
  readonly host: string;
  readonly secure: boolean;
  /** Whom the client's certificate makes it; undefined: certificates make nobody a user here. */
  readonly clientName: string | undefined;
  /** In lower case. The values of one name, as sent. */
  readonly headers: Iterable<Pair>;
  readonly isOver: boolean;
  /** Of the answer, given and not sent. */
  readonly unsentBytes: number;

  header(name: string): string | undefined;
  /** Nothing is told before. Once. */
  use(user: ExchangeUser): void;
  onOver(fn: () => void): void;
  /** So much of the body was used up: as much more may come. */
  took(bytes: number): void;
  /** The answer may be long in coming, or never end: no time is set for it. */
  takesLong(): void;

  /** Goes with the answer, whatever it is. */
  add(name: string, value: string): void;
  /** A whole answer. */
  answer(status: number, headers: readonly Pair[], body: Uint8Array): void;
  /** Begins one in pieces. */
  begin(status: number, headers: readonly Pair[]): void;
  /** False: enough waits, and `writable` tells when more may come. */
  write(bytes: Uint8Array): boolean;
  end(): void;
  /** Breaks it off: the client sees that the answer is not whole. */
  abort(): void;
}
