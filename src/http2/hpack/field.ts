/**
 * One header field. It never changes, and while it stays in a table it is one object, so that what
 * somebody made of it is made once for all requests that refer to it.
 */

/** What a field counts beyond its two texts (RFC 7541, 4.1). */
const OVERHEAD_BYTES = 32;

export class Field {
  readonly name: string;
  /** Each character is one byte of the value. */
  readonly value: string;
  /** Bytes that it counts in a table and in a header list (RFC 7541, 4.1; RFC 9113, 6.5.2). */
  readonly size: number;
  /** What the layer above made of the field. A field belongs to one connection. */
  memo: unknown = undefined;
  /** What the head of a request found it to be; 0 until then. */
  role = 0;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.size = name.length + value.length + OVERHEAD_BYTES;
  }
}
