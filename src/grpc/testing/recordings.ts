/**
 * What other people's clients have said to the client port, connection by connection, as
 * `npm run interop -- --record` has written it down.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export interface Recording {
  /** With its version. */
  readonly client: string;
  readonly connections: readonly Buffer[];
}

export function recordings(): Recording[] {
  const folder = new URL('./recorded/', import.meta.url);
  return readdirSync(folder).sort().map((name) => {
    const { client, connections } = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as { client: string; connections: string[][] };
    return { client, connections: connections.map((lines) => gunzipSync(Buffer.from(lines.join(''), 'base64'))) };
  });
}
