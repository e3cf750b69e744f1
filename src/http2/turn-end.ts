/** The end of a turn of the event loop: each connection with output writes once there. */

import type { Clock } from '../base/env.js';

export interface Flushable {
  flush(): void;
}

export class TurnEnd {
  readonly #clock: Clock;
  #waiting: Flushable[] = [];
  /** Those of the turn before: the two lists take turns. */
  #spare: Flushable[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(connection: Flushable): void {
    if (this.#waiting.push(connection) === 1) this.#clock.defer(this.#run);
  }

  readonly #run = (): void => {
    const waiting = this.#waiting;
    this.#waiting = this.#spare;
    this.#spare = waiting;
    for (const connection of waiting) connection.flush();
    waiting.length = 0;
  };
}
