/**
 * Latencies in buckets 2 % wide from 1 us to 100 s: constant memory, no sorting, percentiles good
 * to the width of a bucket.
 */

const PER_OCTAVE = 36;
const BUCKETS = 27 * PER_OCTAVE;

export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;
  #max = 0;

  record(ms: number): void {
    const us = Math.max(1, ms * 1000);
    const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log2(us) * PER_OCTAVE));
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#total++;
    if (ms > this.#max) this.#max = ms;
  }

  get count(): number {
    return this.#total;
  }

  get maxMs(): number {
    return this.#max;
  }

  /** The latency, in ms, that `quantile` (0 to 1) of the operations did not exceed. */
  percentile(quantile: number): number {
    const wanted = Math.ceil(quantile * this.#total);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen >= wanted && seen > 0) return Math.min(this.#max, 2 ** ((bucket + 1) / PER_OCTAVE) / 1000);
    }
    return this.#max;
  }
}
