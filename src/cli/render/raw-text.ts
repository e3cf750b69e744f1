/**
 * Bytes as text and back without loss, so that what is mostly text can be parsed as text: a byte
 * that is no part of valid UTF-8 becomes a lone low surrogate, U+DC00 + byte, which no valid UTF-8
 * decodes to (PEP 383, "surrogateescape").
 */

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';

const ESCAPE = 0xdc00;
const LONE = /(?<![\ud800-\udbff])[\udc80-\udcff]/g;
/** What Node puts for bytes that it cannot read in an argument. */
const LOST = '\ufffd';

/** Length of the valid UTF-8 sequence at `at`; 0: there is none. */
function sequence(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  return at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}

export function rawText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequence(bytes, at);
    if (length === 0) {
      parts.push(bytes.toString('utf8', from, at), String.fromCharCode(ESCAPE + (bytes[at] as number)));
      from = at + 1;
    }
    at += length || 1;
  }
  return parts.join('') + bytes.toString('utf8', from);
}

/** What {@link rawText} has made, or any text. */
export function bytesOfRaw(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { index } of text.matchAll(LONE)) {
    parts.push(Buffer.from(text.slice(from, index)), Uint8Array.of(text.charCodeAt(index) - ESCAPE));
    from = index + 1;
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(from))]);
}

/**
 * The last arguments of this process as they were given, as raw text. Where the system does not
 * tell (it is no Linux) they stay as Node has read them.
 */
export function rawArguments(args: readonly string[]): readonly string[] {
  if (!args.some((arg) => arg.includes(LOST))) return args;
  let given: string;
  try {
    given = readFileSync('/proc/self/cmdline', 'latin1');
  } catch {
    return args;
  }
  // Each ends with a zero, also the last.
  const all = given.split('\0').slice(0, -1).slice(-args.length).map((arg) => Buffer.from(arg, 'latin1'));
  return all.length === args.length && all.every((arg, i) => arg.toString() === args[i]) ? all.map(rawText) : args;
}
