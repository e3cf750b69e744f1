/**
 * Where a port listens, as etcd's URLs say it: `http://10.0.0.1:2379`, `http://[::1]:2379`,
 * `unix://localhost:2379` or `unix:///run/kintsugi.sock`. A socket's file that a process left when
 * it was killed is in nobody's way.
 */

import { promises as fs } from 'node:fs';
import { connect, type ListenOptions } from 'node:net';

export interface ListenAddress {
  /** As a person would write it, for messages. */
  readonly text: string;
  readonly options: ListenOptions;
}

/** `url` is one that passed the check of options. */
export function listenAddress(url: string): ListenAddress {
  const { protocol, hostname, port, pathname } = new URL(url);
  if (protocol === 'unix:' || protocol === 'unixs:') {
    // etcd takes host and port for the name of a file in the working directory.
    const path = /^unixs?:\/\/(.*)$/.exec(url)?.[1] ?? pathname;
    return { text: path, options: { path } };
  }
  const host = hostname.replace(/^\[|\]$/g, '');
  return { text: `${hostname}:${port === '' ? '80' : port}`, options: { host, port: Number(port === '' ? 80 : port) } };
}

/** Removes a socket's file to which nobody listens any more. What is no socket stays. */
export async function removeStale({ options: { path } }: ListenAddress): Promise<void> {
  if (path === undefined) return;
  try {
    if (!(await fs.stat(path)).isSocket() || (await answers(path))) return;
    await fs.unlink(path);
  } catch {
    // It is not there, or listening says what is wrong with it.
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED'));
  });
}
