/**
 * Text as Go's standard library writes it, so that scripts made for etcdctl read ours: JSON, %q,
 * durations, sizes.
 */

import { toHex } from '../../base/bytes.js';
import { bytesOfRaw } from './raw-text.js';

/** What {@link goJson} writes: numbers of 64 bits as bigint, bytes as base64. */
export type GoValue =
  | null | string | number | boolean | bigint | Uint8Array | readonly GoValue[]
  | { readonly [name: string]: GoValue | undefined };

const ESCAPED: Readonly<Record<string, string>> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' };

function jsonText(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (char) => ESCAPED[char] as string);
}

/** Fields that are undefined are left out. */
export function goJson(value: GoValue): string {
  if (typeof value === 'string') return jsonText(value);
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Uint8Array) return `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"`;
    if (Array.isArray(value)) return `[${(value as readonly GoValue[]).map(goJson).join(',')}]`;
    const fields: string[] = [];
    for (const [name, field] of Object.entries(value as Readonly<Record<string, GoValue | undefined>>)) {
      if (field !== undefined) fields.push(`${jsonText(name)}:${goJson(field)}`);
    }
    return `{${fields.join(',')}}`;
  }
  return String(value);
}

/** protobuf's `omitempty`: undefined for what is zero, false or empty. */
export function nonZero<T extends GoValue>(value: T): T | undefined {
  if (typeof value === 'object' && value !== null) return ('length' in value ? (value as { length: number }).length : 1) === 0 ? undefined : value;
  return value === 0 || value === 0n || value === '' || value === false ? undefined : value;
}

const SHORT: Readonly<Record<number, string>> = {
  7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r', 34: '\\"', 92: '\\\\',
};
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Length of the UTF-8 sequence at `at`, 0 if there is no valid one. */
function runeLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length <= 1) return length;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}

/** %q: in quotes, printable as it is, the rest escaped. */
export function goQuote(bytes: Uint8Array): string {
  let out = '"';
  for (let at = 0; at < bytes.length; ) {
    const length = runeLength(bytes, at);
    if (length === 0) {
      out += `\\x${toHex(bytes.subarray(at, at + 1))}`;
      at++;
      continue;
    }
    const rune = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, at + length));
    const code = rune.codePointAt(0) as number;
    const short = SHORT[code];
    if (short !== undefined) out += short;
    else if (PRINTABLE.test(rune)) out += rune;
    else if (code < 0x80) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else out += code < 0x1_0000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
    at += length;
  }
  return `${out}"`;
}

const UNQUOTED: Readonly<Record<string, number>> = {
  a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "'": 39, '\\': 92,
};

/** The bytes of a quoted Go string, which may be raw text; undefined if it is not one. */
export function goUnquote(text: string): Uint8Array | undefined {
  if (/^`[^`]*`$/.test(text)) return bytesOfRaw(text.slice(1, -1));
  if (!/^"(?:[^"\\\n]|\\.)*"$/s.test(text)) return undefined;
  const parts: Uint8Array[] = [];
  const inner = text.slice(1, -1);
  const token = /[^\\]+|\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gys;
  let read = 0;
  for (const match of inner.matchAll(token)) {
    const [all, hex, short, long, octal, char] = match;
    read += all.length;
    let byte = char === undefined ? undefined : UNQUOTED[char];
    if (hex !== undefined) byte = Number.parseInt(hex, 16);
    if (octal !== undefined) byte = Number.parseInt(octal, 8);
    const rune = short ?? long;
    if (byte !== undefined) {
      if (byte > 255) return undefined;
      parts.push(Buffer.from([byte]));
    } else if (rune !== undefined) {
      const code = Number.parseInt(rune, 16);
      if (code > 0x10ffff) return undefined;
      parts.push(Buffer.from(String.fromCodePoint(code)));
    } else if (char !== undefined) {
      return undefined;
    } else {
      parts.push(bytesOfRaw(all));
    }
  }
  return read === inner.length ? Buffer.concat(parts) : undefined;
}

/** Of a time in ms, as time.Duration prints it. */
export function goDuration(ms: number): string {
  const ns = Math.round(ms * 1e6);
  const short = (n: number): string => String(Number(n.toFixed(9)));
  if (ns === 0) return '0s';
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${short(ns / 1e3)}µs`;
  if (ns < 1e9) return `${short(ns / 1e6)}ms`;
  const seconds = ns / 1e9;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${short(seconds)}s`;
  const rest = `${short(seconds - minutes * 60)}s`;
  return minutes < 60 ? `${minutes}m${rest}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${rest}`;
}

const GO_UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, 'µs': 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Ms of a duration such as `5s`, `1m30s` or `250ms`; undefined if it is none. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) total += Number(number) * (GO_UNITS[unit as string] as number);
  return total;
}

/** Decimal units, as etcdctl shows sizes: `20 kB`. */
export function goBytes(bytes: number): string {
  if (bytes < 10) return `${bytes} B`;
  const exponent = Math.min(6, Math.floor(Math.log(bytes) / Math.log(1000)));
  const value = Math.floor((bytes / 1000 ** exponent) * 10 + 0.5) / 10;
  const unit = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'][exponent] as string;
  // Go rounds a half to the even neighbour: 20.5 kB is 20 kB.
  const down = Math.floor(value);
  const whole = value - down === 0.5 ? down + (down % 2) : Math.round(value);
  return `${value < 10 ? value.toFixed(1) : whole} ${unit}`;
}
