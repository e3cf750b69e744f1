/**
 * Serves a site over HTTP/1.1. The requests of one connection are answered one after the other, in
 * the order in which they came, as Go's server does it: who sends a put and a range behind it sees
 * the put. While one waits for its turn, no more is read of that connection.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { answersHalfClosed, holdSocket, pace } from './paced-socket.js';
import type { Exchange } from './exchange.js';
import { Http1Exchange } from './http1-exchange.js';
import type { Site } from './site.js';

interface Lane {
  readonly waiting: Exchange[];
  busy: boolean;
}

export function siteServer(site: Site): Server {
  const lanes = new WeakMap<Duplex, Lane>();
  const next = (socket: Duplex, lane: Lane): void => {
    let exchange = lane.waiting.shift();
    while (exchange?.isOver === true) exchange = lane.waiting.shift();
    holdSocket(socket, lane.waiting.length > 0);
    lane.busy = exchange !== undefined;
    if (exchange === undefined) return;
    exchange.onOver(() => next(socket, lane));
    site.serve(exchange);
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const lane = lanes.get(socket) ?? { waiting: [], busy: false };
    lanes.set(socket, lane);
    lane.waiting.push(new Http1Exchange(request, response));
    if (!lane.busy) next(socket, lane);
    else holdSocket(socket, true);
  });
  answersHalfClosed(server);
  return pace(server);
}
