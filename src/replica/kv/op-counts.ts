/**
 * How many operations on keys this member has carried out since its start. They are no part of the
 * state: nothing that is applied depends on them (S2).
 */
export class OpCounts {
  ranges = 0;
  puts = 0;
  deletes = 0;
  /** Requests of more than one operation. */
  txns = 0;

  /** Of one request. */
  add({ ranges, puts, deletes }: Readonly<OpCounts>): void {
    this.ranges += ranges;
    this.puts += puts;
    this.deletes += deletes;
    if (ranges + puts + deletes > 1) this.txns++;
  }
}
