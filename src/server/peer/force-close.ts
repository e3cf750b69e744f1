/**
 * Ends a grpc-js server. Its own forceShutdown leaves connections open when channelz is off (it
 * then keeps no list of them but the one used here), and peers would take a stopped node for a
 * silent one.
 */

import type { Server } from '@grpc/grpc-js';
import { sessionsOf } from './grpc-sessions.js';

/** Cuts every connection and stops listening, at once. */
export function forceClose(server: Server): void {
  const sessions = sessionsOf(server);
  server.forceShutdown();
  for (const session of sessions) session.destroy();
}
