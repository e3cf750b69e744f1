/**
 * Whose a connection is by its certificate. Node's HTTP/1.1 server is handed sockets and hands on
 * nothing but them, and what a socket knows of its certificate does not say whether certificates
 * make users here: so what the port found out stands beside the socket, as long as there is one.
 */

import type { Duplex } from 'node:stream';

const users = new WeakMap<Duplex, string>();

/** Undefined: certificates make nobody a user. */
export function setUser(socket: Duplex, name: string | undefined): void {
  if (name !== undefined) users.set(socket, name);
}

export function userOfSocket(socket: Duplex): string | undefined {
  return users.get(socket);
}
