/**
 * Ports for nodes that are about to be started here. They lie below those that systems give to
 * outgoing connections (Linux: 32768 and up, others 49152 and up): one of these could take a port
 * between its choice and its use, or while its node is down and wants it back. For the same reason
 * a process gives a port once before it begins anew, and processes that run at the same time give
 * others: each has a part of them, by its number.
 */

import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

const FIRST = 15_000;
const BEYOND = 32_000;
/** Processes that were started one after the other have different ones. */
const PARTS = 32;
const PART = Math.floor((BEYOND - FIRST) / PARTS);

const first = FIRST + (process.pid % PARTS) * PART;
let next = randomInt(PART);

/** So many, all different; nobody listened on them on loopback. Rejects if there are none. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    for (let attempt = 0; held.size < count; attempt++) {
      if (attempt === PART) throw new Error(`no ${count} free ports from ${first} to ${first + PART - 1} on 127.0.0.1`);
      const port = first + (next++ % PART);
      const server = await hold(port);
      if (server !== undefined) held.set(port, server);
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function hold(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
