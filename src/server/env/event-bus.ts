/** One event to many subscribers. A subscriber that throws is reported and the others still hear. */

import type { EventSink, KintsugiEvent } from '../../base/events.js';

export class EventBus implements EventSink {
  readonly #subscribers: ((event: KintsugiEvent) => void)[] = [];
  readonly #onFailure: (error: unknown) => void;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  subscribe(subscriber: (event: KintsugiEvent) => void): void {
    this.#subscribers.push(subscriber);
  }

  emit(event: KintsugiEvent): void {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(event);
      } catch (error) {
        this.#onFailure(error);
      }
    }
  }
}
