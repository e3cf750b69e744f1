/**
 * One stream of watches, from a client to a member and back: in order, and nothing is left out of
 * it as long as it lasts. A message that is lost on the way is the end: the client hears nothing
 * more, as of a connection that broke. The member gives the next one only when the client has taken
 * the one before, so that who reads slowly is felt there.
 */

import { codeOf, messageOf } from '../../../base/errors.js';
import type { WatchRequest, WatchResponse } from '../../../api/watch.js';
import { WatchStream } from '../../../replica/watch/watch-stream.js';
import type { WatchSession } from '../../../api/services/watch.js';
import type { SimNode } from '../../cluster/sim-node.js';
import type { Process } from '../../world/world.js';
import { kvOf } from '../../workload/wire.js';
import type { StreamParts } from '../base/parts.js';
import type { Told } from './watch-log.js';

/** A message as it left the member. */
export interface Answer extends Omit<WatchResponse, 'events'> {
  readonly told: readonly Told[];
}

export interface StreamEnd {
  /** For how long it does nothing now that it has a message, in microseconds. */
  took(answer: Answer): number;
  ended(code: string): void;
}

const MAX_UNNOTICED_US = 10_000_000;

export class OpenStream {
  readonly node: SimNode;
  readonly #parts: StreamParts;
  readonly #machine: number;
  readonly #client: StreamEnd;
  #over = false;
  #process: Process | undefined;
  #session: WatchSession | undefined;
  #requests: Promise<void> = Promise.resolve();

  constructor(parts: StreamParts, machine: number, node: SimNode, client: StreamEnd) {
    this.#parts = parts;
    this.#machine = machine;
    this.node = node;
    this.#client = client;
  }

  open(requests: readonly WatchRequest[], requireLeader: boolean): void {
    this.#parts.links.toNode(this.#machine, this.node.id, () => {
      const running = this.node.state === 'up' ? this.node.running : undefined;
      if (running?.process.alive !== true) return this.#tellEnd('UNREACHABLE');
      this.#process = running.process;
      this.#atNode(() => {
        try {
          this.#session = running.store.watch({ requireLeader });
        } catch (error) {
          return this.#failed(error);
        }
        for (const request of requests) this.#take(request);
        this.#serve(this.#session).catch((error: unknown) => this.#failed(error));
      });
    });
  }

  send(request: WatchRequest): void {
    this.#parts.links.toNode(this.#machine, this.node.id, () => this.#atNode(() => this.#take(request)));
  }

  /** The client is gone; the member hears of it later. */
  close(afterUs: number): void {
    this.#over = true;
    this.#parts.world.schedule(Math.min(afterUs, MAX_UNNOTICED_US), () => this.#atNode(() => this.#session?.close()));
  }

  /** The life of the member that served it is over. */
  get isDead(): boolean {
    return this.#process?.alive === false;
  }

  /** Bytes of events that wait at the member. */
  get queued(): number {
    return this.#process?.alive === true && this.#session instanceof WatchStream ? this.#session.queued : 0;
  }

  #atNode(fn: () => void): void {
    if (this.#process !== undefined) this.#parts.world.schedule(0, fn, this.#process);
  }

  #take(request: WatchRequest): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#requests = this.#requests.then(() => session.handle(request)).catch((error: unknown) => {
      session.close();
      this.#failed(error);
    });
  }

  async #serve(session: WatchSession): Promise<void> {
    for (let response = await session.next(); response !== undefined; response = await session.next()) {
      const { events, ...rest } = response;
      const answer = { ...rest, told: events.map(({ kv, prevKv }): Told => ({
        kv: kvOf(kv), prev: prevKv && kvOf(prevKv), atUs: this.#parts.world.nowUs, node: this.node.id,
      })) };
      await this.#deliver(answer);
    }
  }

  #deliver(answer: Answer): Promise<void> {
    const { world, links } = this.#parts;
    return new Promise((resolve) => {
      links.toClient(this.#machine, this.node.id, () => {
        if (!this.#over) world.schedule(this.#client.took(answer), resolve, this.#process);
      });
    });
  }

  #failed(error: unknown): void {
    if (this.#process?.alive !== true) return;
    const code = codeOf(error);
    if (code === undefined) this.#parts.report('crash', 'typed answers', `a watch was answered with ${messageOf(error)}`, this.node.id);
    this.#tellEnd(code ?? 'UNTYPED');
  }

  #tellEnd(code: string): void {
    this.#parts.links.toClient(this.#machine, this.node.id, () => {
      if (!this.#over) this.#client.ended(code);
    });
  }
}
