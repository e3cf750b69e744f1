/**
 * The serial numbers of a certificate revocation list (RFC 5280, 5.1), PEM or DER. As in etcd, a
 * number that is listed is revoked, whoever issued it, and a list that is past its next update
 * counts on: an authority that is away stops nobody. What does not parse is refused whole. Long
 * lists are read in slices.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { CodecError } from '../../base/errors.js';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
/** Entries between two turns of the loop: about a millisecond. */
const SLICE = 4_000;

const PEM = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g;

/** Reads DER values one behind the other, in [at, end). */
class Der {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** The next value's tag; undefined: there is none. */
  get tag(): number | undefined {
    return this.#at < this.#end ? this.#bytes[this.#at] : undefined;
  }

  /** The content of the next value, which has this tag. */
  take(tag: number): Der {
    if (this.tag !== tag) throw new CodecError(`not a revocation list: tag ${this.tag ?? 'missing'} where ${tag} should be`);
    let at = this.#at + 1;
    let length = this.#byte(at++);
    if (length >= 0x80) {
      const bytes = length & 0x7f;
      if (bytes === 0 || bytes > 4) throw new CodecError('not a revocation list: a length that DER has not');
      length = 0;
      for (let i = 0; i < bytes; i++) length = length * 256 + this.#byte(at++);
    }
    const end = at + length;
    if (end > this.#end) throw new CodecError('not a revocation list: it is cut off');
    this.#at = end;
    return new Der(this.#bytes, at, end);
  }

  get hex(): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, this.#end - this.#at).toString('hex');
  }

  #byte(at: number): number {
    if (at >= this.#end) throw new CodecError('not a revocation list: it is cut off');
    return this.#bytes[at] as number;
  }
}

/** A serial number in one form, whoever wrote it. */
export function serialOf(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}

/** Throws CodecError. */
export async function revokedSerials(file: Uint8Array): Promise<ReadonlySet<string>> {
  const text = Buffer.from(file.buffer, file.byteOffset, file.length).toString('latin1');
  const blocks = [...text.matchAll(PEM)].map(([, base64 = '']) => Buffer.from(base64, 'base64'));
  const serials = new Set<string>();
  for (const block of blocks.length > 0 ? blocks : [file]) await addSerials(serials, block);
  return serials;
}

async function addSerials(serials: Set<string>, der: Uint8Array): Promise<void> {
  const list = new Der(der).take(SEQUENCE).take(SEQUENCE);
  if (list.tag === INTEGER) list.take(INTEGER);
  list.take(SEQUENCE);
  list.take(SEQUENCE);
  takeTime(list);
  if (isTime(list.tag)) takeTime(list);
  if (list.tag !== SEQUENCE) return;
  const entries = list.take(SEQUENCE);
  for (let n = 1; entries.tag !== undefined; n++) {
    serials.add(serialOf(entries.take(SEQUENCE).take(INTEGER).hex));
    if (n % SLICE === 0) await turn();
  }
}

function takeTime(list: Der): void {
  list.take(list.tag === UTC_TIME ? UTC_TIME : GENERALIZED_TIME);
}

function isTime(tag: number | undefined): boolean {
  return tag === UTC_TIME || tag === GENERALIZED_TIME;
}
