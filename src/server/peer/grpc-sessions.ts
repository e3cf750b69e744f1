/**
 * The connections of a grpc-js server, of which it has no public list. It keeps one of its own
 * while channelz is off.
 */

import type { Server } from '@grpc/grpc-js';
import type { ServerHttp2Session } from 'node:http2';

interface WithSessions {
  readonly http2Servers: ReadonlyMap<unknown, { readonly sessions: ReadonlySet<ServerHttp2Session> }>;
}

export function sessionsOf(server: Server): ServerHttp2Session[] {
  const { http2Servers } = server as unknown as WithSessions;
  return [...http2Servers.values()].flatMap(({ sessions }) => [...sessions]);
}
