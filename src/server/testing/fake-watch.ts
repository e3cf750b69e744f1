/** A watch session that a test plays: what was asked for, and what it answers. */

import { Deferred } from '../../base/deferred.js';
import type { WatchOptions, WatchSession } from '../../api/services/watch.js';
import type { WatchRequest, WatchResponse } from '../../api/watch.js';

export class FakeWatch implements WatchSession {
  readonly options: WatchOptions;
  readonly requests: WatchRequest[] = [];
  /** How often an answer was asked for. */
  asked = 0;
  closed = false;
  readonly #answers: (WatchResponse | Error)[] = [];
  #wake = new Deferred();

  constructor(options: WatchOptions) {
    this.options = options;
  }

  handle(request: WatchRequest): Promise<void> {
    this.requests.push(request);
    this.#awake();
    return Promise.resolve();
  }

  answer(more: Partial<WatchResponse> | Error): void {
    const plain = { revision: 1, watchId: 0, created: false, canceled: false, compactRevision: 0, cancelReason: '', fragment: false, events: [] };
    this.#answers.push(more instanceof Error ? more : { ...plain, ...more });
    this.#awake();
  }

  async next(): Promise<WatchResponse | undefined> {
    this.asked += 1;
    for (;;) {
      const answer = this.#shift();
      if (answer !== undefined) return answer;
      if (this.closed) return undefined;
      await this.#wake.promise;
    }
  }

  take(): WatchResponse | undefined {
    if (this.#answers.length > 0) this.asked += 1;
    return this.#shift();
  }

  #shift(): WatchResponse | undefined {
    const answer = this.#answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  }

  close(): void {
    this.closed = true;
    this.#awake();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#wake.promise;
  }

  #awake(): void {
    this.#wake.resolve();
    this.#wake = new Deferred();
  }
}
