/**
 * Tokens that the cluster gave out and that are good on this member. They come through the log, so
 * that each is good on every member, but they are no replicated state: each member forgets by its
 * own clock, and a member that starts again knows none of before. Whoever is refused for that
 * authenticates again.
 *
 * C1 There are so many at most; the one that was used longest ago goes.
 */

import type { LogIndex } from '../../base/ids.js';

interface Token {
  readonly user: string;
  /** In milliseconds of the member's clock; put off by each use. */
  expiresAt: number;
}

const MAX_TOKENS = 100_000;

export class SimpleTokens {
  /** By digest, the one used longest ago first. */
  readonly #tokens = new Map<string, Token>();
  /** As of the last tick: apply knows no clock. */
  #now = 0;
  #ttlMs = 300_000;
  /** Entries up to here were in the log when this life began. */
  #from: LogIndex = 0;

  get size(): number {
    return this.#tokens.size;
  }

  /** What an entry up to `index` gave out belongs to an earlier life. */
  begin(index: LogIndex, ttlMs: number): void {
    this.#from = index;
    this.#ttlMs = ttlMs;
  }

  /** Called each second: what has expired goes. */
  tick(now: number): void {
    this.#now = now;
    for (const [digest, { expiresAt }] of this.#tokens) {
      if (expiresAt > now) return;
      this.#tokens.delete(digest);
    }
  }

  /** An entry gives it out. */
  add(digest: string, user: string, index: LogIndex): void {
    if (index <= this.#from) return;
    this.#put(digest, user);
    if (this.#tokens.size <= MAX_TOKENS) return;
    const [oldest] = this.#tokens.keys();
    if (oldest !== undefined) this.#tokens.delete(oldest);
  }

  /** Whose it is; undefined: it is not good. A use puts its end off. */
  userOf(digest: string): string | undefined {
    const token = this.#tokens.get(digest);
    if (token === undefined || token.expiresAt <= this.#now) return undefined;
    this.#put(digest, token.user);
    return token.user;
  }

  /** The user is gone, or has another password. */
  forget(user: string): void {
    for (const [digest, token] of this.#tokens) if (token.user === user) this.#tokens.delete(digest);
  }

  clear(): void {
    this.#tokens.clear();
  }

  #put(digest: string, user: string): void {
    this.#tokens.delete(digest);
    this.#tokens.set(digest, { user, expiresAt: this.#now + this.#ttlMs });
  }
}
