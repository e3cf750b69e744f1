/**
 * The head of one request. When it is given out it is complete and never changes again: it may be
 * kept, and all requests of the connection with an equal header block share it.
 *
 * It judges what RFC 9113 calls malformed (8.1.1), with two leniencies for the sake of clients that
 * every server of gRPC takes: no `:authority` is wrong (some send URLs, paths or lists there), and
 * a value may begin and end with blanks.
 */

import type { FieldSink } from './hpack/decoder.js';
import { Field } from './hpack/field.js';

/** What a field is to a request. 0: nobody has looked yet ({@link Field.role}). */
const Role = { REGULAR: 1, METHOD: 2, SCHEME: 3, PATH: 4, AUTHORITY: 5, CONTENT_LENGTH: 6, BAD: 7 } as const;

/** Names that mean something here. What speaks of the connection is not allowed (8.2.2). */
const ROLES: ReadonlyMap<string, number> = new Map<string, number>([
  [':method', Role.METHOD],
  [':scheme', Role.SCHEME],
  [':path', Role.PATH],
  [':authority', Role.AUTHORITY],
  ['content-length', Role.CONTENT_LENGTH],
  ['connection', Role.BAD],
  ['keep-alive', Role.BAD],
  ['proxy-connection', Role.BAD],
  ['transfer-encoding', Role.BAD],
  ['upgrade', Role.BAD],
]);

/** A token without upper case (8.2.1; RFC 9110, 5.6.2): no pseudo field that is unknown here. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** What a method is (RFC 9110, 9.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters, of which only a tab may be in a value (RFC 9110, 5.5). */
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
/** Below 2^53. */
const LENGTH = /^[0-9]{1,15}$/;

function roleOf(field: Field): number {
  const { name, value } = field;
  const role = ROLES.get(name) ?? (NAME.test(name) ? Role.REGULAR : Role.BAD);
  if (CONTROL.test(value)) return Role.BAD;
  if (name === 'te' && value.toLowerCase() !== 'trailers') return Role.BAD;
  if (role === Role.CONTENT_LENGTH && !LENGTH.test(value)) return Role.BAD;
  if (role === Role.METHOD && !TOKEN.test(value)) return Role.BAD;
  return role;
}

export class RequestHead implements FieldSink {
  /** What the layer above made of the whole head. */
  memo: unknown = undefined;
  readonly #maxListBytes: number;
  readonly #absent: Field;
  #method: Field;
  #scheme: Field;
  #path: Field;
  #authority: Field | undefined = undefined;
  readonly #fields: Field[] = [];
  #contentLength = -1;
  #listBytes = 0;
  #tooLarge = false;
  #bad = false;

  /** `absent` stands for a field that is not there; it is the connection's, as all fields are. */
  constructor(maxListBytes: number, absent = new Field('', '')) {
    this.#maxListBytes = maxListBytes;
    this.#absent = absent;
    this.#method = this.#scheme = this.#path = absent;
  }

  /** '' where there is none, which is so only in a malformed head or (scheme, path) for CONNECT. */
  get method(): Field {
    return this.#method;
  }

  get scheme(): Field {
    return this.#scheme;
  }

  get path(): Field {
    return this.#path;
  }

  get authority(): Field | undefined {
    return this.#authority;
  }

  /** All but the pseudo fields, in order. */
  get fields(): readonly Field[] {
    return this.#fields;
  }

  /** -1: not said. */
  get contentLength(): number {
    return this.#contentLength;
  }

  /** Bytes of all fields (RFC 9113, 6.5.2), up to the first that was too much. */
  get listBytes(): number {
    return this.#listBytes;
  }

  /** The list is larger than allowed: what is here is only a part of it. */
  get tooLarge(): boolean {
    return this.#tooLarge;
  }

  /** RFC 9113, 8.1.1: a stream error PROTOCOL_ERROR. Means nothing of a head that is too large. */
  get malformed(): boolean {
    return this.#bad || !this.#isWhole();
  }

  field(field: Field): boolean {
    this.#listBytes += field.size;
    if (this.#listBytes > this.#maxListBytes) {
      this.#tooLarge = true;
      return false;
    }
    if (field.role === 0) field.role = roleOf(field);
    switch (field.role) {
      case Role.REGULAR:
        this.#fields.push(field);
        break;
      case Role.METHOD:
        this.#pseudo(this.#method);
        this.#method = field;
        break;
      case Role.SCHEME:
        this.#pseudo(this.#scheme);
        this.#scheme = field;
        break;
      case Role.PATH:
        this.#pseudo(this.#path);
        this.#path = field;
        break;
      case Role.AUTHORITY:
        this.#pseudo(this.#authority ?? this.#absent);
        this.#authority = field;
        break;
      case Role.CONTENT_LENGTH:
        this.#setLength(Number(field.value));
        this.#fields.push(field);
        break;
      default:
        this.#bad = true;
    }
    return true;
  }

  /** Pseudo fields come once each and before all others (8.3). */
  #pseudo(known: Field): void {
    if (known !== this.#absent || this.#fields.length > 0) this.#bad = true;
  }

  #setLength(bytes: number): void {
    if (this.#contentLength >= 0 && this.#contentLength !== bytes) this.#bad = true;
    this.#contentLength = bytes;
  }

  /** The pseudo fields that there must be (8.3.1; for CONNECT 8.5). */
  #isWhole(): boolean {
    if (this.#method.value === 'CONNECT') {
      return this.#scheme === this.#absent && this.#path === this.#absent && this.#authority !== undefined;
    }
    return this.#method.value !== '' && this.#scheme.value !== '' && this.#path.value !== '';
  }
}

/** Takes the fields after a body, of which nothing is kept. */
export class RequestTrailers implements FieldSink {
  #malformed = false;

  /** There are no pseudo fields among trailers (RFC 9113, 8.1). */
  get malformed(): boolean {
    return this.#malformed;
  }

  field(field: Field): boolean {
    if (field.role === 0) field.role = roleOf(field);
    if (field.role !== Role.REGULAR && field.role !== Role.CONTENT_LENGTH) this.#malformed = true;
    return !this.#malformed;
  }
}
