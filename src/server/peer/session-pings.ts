/**
 * Who is connected to this member's peer port and does not answer is let go: a machine that lost
 * its power says no goodbye. gRPC would do it, too, but it takes the time for which this process
 * itself was held up for the other's silence, and so lets go of all peers at once when it is slow.
 * Whoever has answered once shows by all that he sends that he is there; before that only by an
 * answer, which is more than a connection that begins nothing has to give.
 */

import type { Server } from '@grpc/grpc-js';
import type { ServerHttp2Session } from 'node:http2';
import type { Clock, Timer } from '../../base/env.js';
import { Keepalive } from '../../http2/keepalive.js';
import { sessionsOf } from './grpc-sessions.js';
import { UnheldTime } from './unheld-time.js';

/** In the time after which it is asked whether somebody is there. */
const TICKS = 4;

interface Seen {
  readonly keepalive: Keepalive;
  answered: boolean;
  /** At the last look. */
  bytesRead: number;
}

export class SessionPings {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #silentMs: number;
  readonly #time: UnheldTime;
  readonly #seen = new WeakMap<ServerHttp2Session, Seen>();
  #timer: Timer | undefined;

  /** `silentMs`: see PeerNetworkOptions. */
  constructor(server: Server, clock: Clock, silentMs: number) {
    this.#server = server;
    this.#clock = clock;
    this.#silentMs = silentMs;
    this.#time = new UnheldTime(clock, silentMs / TICKS);
  }

  start(): void {
    this.#timer = this.#clock.setTimer(this.#silentMs / TICKS, () => {
      this.#look(this.#time.look());
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(now: number): void {
    for (const session of sessionsOf(this.#server)) {
      // It has no socket any more.
      if (session.destroyed) continue;
      const seen = this.#seen.get(session) ?? this.#begin(session, now);
      const { bytesRead } = session.socket;
      if (seen.answered && bytesRead !== seen.bytesRead) seen.keepalive.heard();
      seen.bytesRead = bytesRead;
      const state = seen.keepalive.tick(now);
      if (state === 'dead' || (state === 'ping' && !ping(session, seen))) session.destroy();
    }
  }

  #begin(session: ServerHttp2Session, now: number): Seen {
    const keepalive = new Keepalive({ keepaliveMs: this.#silentMs, keepaliveTimeoutMs: this.#silentMs }, now);
    const seen = { keepalive, answered: false, bytesRead: 0 };
    this.#seen.set(session, seen);
    return seen;
  }
}

/** False: nothing can be said to it any more. */
function ping(session: ServerHttp2Session, seen: Seen): boolean {
  try {
    return session.ping((error) => {
      if (error !== null) return;
      seen.answered = true;
      seen.keepalive.heard();
    });
  } catch {
    return false;
  }
}
