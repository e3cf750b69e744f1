/**
 * The beginning of a connection (RFC 9113, 3.4 and 6.5.3): the peer's preface and SETTINGS, and its
 * acknowledgement of ours, both within a time.
 */

export class Handshake {
  readonly #timeoutMs: number;
  readonly #startedAt: number;
  #settings = false;
  #acknowledged = false;

  constructor(timeoutMs: number, now: number) {
    this.#timeoutMs = timeoutMs;
    this.#startedAt = now;
  }

  /** The peer's SETTINGS have come: other frames may come. */
  get begun(): boolean {
    return this.#settings;
  }

  /** The peer goes by our SETTINGS. */
  get acknowledged(): boolean {
    return this.#acknowledged;
  }

  settings(): void {
    this.#settings = true;
  }

  acknowledge(): void {
    this.#acknowledged = true;
  }

  isLate(now: number): boolean {
    return !(this.#settings && this.#acknowledged) && now - this.#startedAt >= this.#timeoutMs;
  }
}
