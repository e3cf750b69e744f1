/**
 * One event to many subscribers. One that throws is reported on stderr, and the others still hear.
 */

import { messageOf } from '../../base/errors.js';
import type { EventSink, KintsugiEvent } from '../../base/events.js';

export class EventBus implements EventSink {
  readonly #subscribers: readonly EventSink[];

  constructor(subscribers: readonly EventSink[]) {
    this.#subscribers = subscribers;
  }

  emit(event: KintsugiEvent): void {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber.emit(event);
      } catch (error) {
        process.stderr.write(`event subscriber failed: ${messageOf(error)}\n`);
      }
    }
  }
}
