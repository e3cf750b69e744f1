/**
 * Who makes a call, as the transport knows it: what it says of itself, not what it may do. What
 * that is worth is decided where the call is carried out, against the state as of then, because
 * auth may be turned on or changed while a call waits.
 */

import type { LogIndex } from '../base/ids.js';

/** What a signed token says, once its signature was found good. */
export interface Claims {
  readonly user: string;
  /** Of the auth state when it was signed. */
  readonly revision: number;
}

/** A token that the cluster gave out. Of its secret there is only the digest here. */
export interface SimpleToken {
  /** SHA-256 of the secret, in hex. */
  readonly digest: string;
  /** The entry that made it good: who has applied less does not know it yet. */
  readonly index: LogIndex;
}

export interface CallerParts {
  /** It sent a token, whatever that is worth. */
  readonly hasToken: boolean;
  readonly token?: SimpleToken | undefined;
  readonly claims?: Claims | undefined;
  /** Of the client's certificate, which is good. */
  readonly commonName?: string | undefined;
  readonly isOwner?: boolean;
}

export class Caller {
  readonly hasToken: boolean;
  readonly token: SimpleToken | undefined;
  readonly claims: Claims | undefined;
  readonly commonName: string | undefined;
  /** It is the application that the member is part of: nothing is forbidden to it. */
  readonly isOwner: boolean;
  /** What it asks for was compared with what it may do, or is when its entry is applied. */
  checked = false;

  constructor(parts: CallerParts) {
    this.hasToken = parts.hasToken;
    this.token = parts.token;
    this.claims = parts.claims;
    this.commonName = parts.commonName;
    this.isOwner = parts.isOwner ?? false;
  }

  /** Only code of this process can say so: nothing that comes over a connection does. */
  static owner(): Caller {
    return new Caller({ hasToken: false, isOwner: true });
  }

  /** What it shows may be good only where more of the log was applied. */
  get mayBeAhead(): boolean {
    return this.token !== undefined || this.claims !== undefined;
  }

  /** Nothing is said of who calls. */
  get isAnonymous(): boolean {
    return !this.hasToken && this.commonName === undefined && !this.isOwner;
  }
}
