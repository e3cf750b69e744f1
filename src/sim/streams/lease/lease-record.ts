/** One lease as its clients know it: what they asked, when, and what they were told. */

/** Microseconds. Counted on only where it is answered. */
export interface Asked {
  readonly callUs: number;
  readonly retUs: number;
  readonly node: number;
}

export interface KeptAlive extends Asked {
  /** Seconds; 0: there is no such lease. */
  readonly ttl: number;
  /** Of the store, as the answer says. */
  readonly revision: number;
}

export interface TimeTold extends Asked {
  /** Seconds that are left; -1: there is no such lease. */
  readonly ttl: number;
  readonly granted: number;
  readonly keys: readonly string[];
}

export class LeaseRecord {
  readonly id: number;
  /** Seconds, as it was granted. */
  ttl: number;
  /** It cannot be older. */
  readonly callUs: number;
  /** Infinity: nobody was told that it is there. */
  grantedUs = Infinity;
  readonly keptAlive: KeptAlive[] = [];
  readonly timeTold: TimeTold[] = [];
  /** Requests that may keep it alive yet. */
  uncertain = 0;

  constructor(id: number, ttl: number, callUs: number) {
    this.id = id;
    this.ttl = ttl;
    this.callUs = callUs;
  }

  get ttlUs(): number {
    return this.ttl * 1_000_000;
  }

  toString(): string {
    return `lease ${this.id} of ${this.ttl} s, granted at ${(this.callUs / 1e6).toFixed(3)} s`;
  }
}
