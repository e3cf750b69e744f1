/**
 * Which protocol a client speaks, by its first bytes: HTTP/2 with prior knowledge begins with a
 * preface that no HTTP/1.1 request begins with (RFC 9113, 3.4), so one port serves both, as etcd's
 * does.
 */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** A method, upper case, and the space behind it. */
const REQUEST_LINE = /^[A-Z]{3,10} /;
const LONGEST_METHOD = 11;

export type Protocol = 'http2' | 'http1' | 'unknown';

/** Undefined: it takes more bytes to tell. */
export function protocolOf(first: Uint8Array): Protocol | undefined {
  const compared = Math.min(first.length, PREFACE.length);
  if (PREFACE.compare(first, 0, compared, 0, compared) === 0) return compared === PREFACE.length ? 'http2' : undefined;
  const text = Buffer.from(first.buffer, first.byteOffset, Math.min(first.length, LONGEST_METHOD)).toString('latin1');
  if (REQUEST_LINE.test(text)) return 'http1';
  return first.length < LONGEST_METHOD && /^[A-Z]*$/.test(text) ? undefined : 'unknown';
}
