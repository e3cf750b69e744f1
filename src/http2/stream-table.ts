/**
 * The open streams of a connection by id. Ids grow by two, so most often a stream's place follows
 * from its id alone; one that is in the way of a newer stream moves to a map. The table grows with
 * the streams that are open, up to a limit.
 */

import type { StreamRecord } from './stream-record.js';

const MIN_SLOTS = 16;
const MAX_SLOTS = 16_384;

export class StreamTable {
  #slots = new Array<StreamRecord | undefined>(MIN_SLOTS).fill(undefined);
  #mask = MIN_SLOTS - 1;
  readonly #moved = new Map<number, StreamRecord>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): StreamRecord | undefined {
    const stream = this.#slots[(id >>> 1) & this.#mask];
    if (stream !== undefined && stream.id === id) return stream;
    return this.#moved.size === 0 ? undefined : this.#moved.get(id);
  }

  add(stream: StreamRecord): void {
    this.#size++;
    if (this.#size * 2 > this.#slots.length && this.#slots.length < MAX_SLOTS) this.#grow();
    this.#place(stream);
  }

  remove(stream: StreamRecord): void {
    this.#size--;
    const slot = (stream.id >>> 1) & this.#mask;
    if (this.#slots[slot] === stream) this.#slots[slot] = undefined;
    else this.#moved.delete(stream.id);
  }

  /** All of them, in no order. */
  all(): StreamRecord[] {
    return [...this.#slots.filter((stream) => stream !== undefined), ...this.#moved.values()];
  }

  #place(stream: StreamRecord): void {
    const slot = (stream.id >>> 1) & this.#mask;
    const other = this.#slots[slot];
    if (other !== undefined) this.#moved.set(other.id, other);
    this.#slots[slot] = stream;
  }

  #grow(): void {
    const all = this.all().sort((a, b) => a.id - b.id);
    this.#mask = this.#slots.length * 2 - 1;
    this.#slots = new Array<StreamRecord | undefined>(this.#mask + 1).fill(undefined);
    this.#moved.clear();
    for (const stream of all) this.#place(stream);
  }
}
