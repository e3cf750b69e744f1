/** Records of streams that are used again. */

import { StreamRecord, type StreamOwner } from './stream-record.js';

/** Records kept for later, at most. */
const MAX_SPARE_STREAMS = 4_096;

export class StreamPool {
  readonly #spare: StreamRecord[] = [];
  #lent = 0;

  get lent(): number {
    return this.#lent;
  }

  take(id: number, owner: StreamOwner): StreamRecord {
    this.#lent++;
    const stream = this.#spare.pop() ?? new StreamRecord();
    stream.begin(id, owner);
    return stream;
  }

  give(stream: StreamRecord): void {
    this.#lent--;
    stream.forget();
    if (this.#spare.length < MAX_SPARE_STREAMS) this.#spare.push(stream);
  }
}
