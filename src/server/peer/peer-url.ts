/** Where a member is found: `http://host:port`, or `https://host:port` for TLS. */

/** `host:port` of it. */
export function hostPort(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`;
}

export function isSecure(url: string): boolean {
  return url.startsWith('https:');
}
