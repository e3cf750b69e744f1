/**
 * Where a port listens, as etcd's URLs say it: `http://10.0.0.1:2379`, `http://[::1]:2379`,
 * `unix://localhost:2379` or `unix:///run/kintsugi.sock`.
 */

import type { ListenOptions } from 'node:net';

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
