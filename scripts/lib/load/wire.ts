/**
 * The few protobuf messages the load client needs, written by hand on raw Buffers (numbers of
 * etcd's rpc.proto). Decoding stops being general where generality costs: revisions are read as
 * numbers, ids as bigint.
 */

/** Appends protobuf fields to one buffer that is reused. */
class Writer {
  #buffer = Buffer.allocUnsafe(4096);
  #at = 0;

  /** Starts a gRPC message: five bytes of frame head, filled in by {@link finish}. */
  begin(): this {
    this.#at = 5;
    return this;
  }

  #room(n: number): void {
    if (this.#at + n <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + n));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }

  #varint(n: number): void {
    let rest = n;
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
  }

  number(field: number, n: number): this {
    if (n === 0) return this;
    this.#room(20);
    this.#varint(field << 3);
    this.#varint(n);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    if (value.length === 0) return this;
    this.#room(20 + value.length);
    this.#varint((field << 3) | 2);
    this.#varint(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** A nested message; kept even if empty, because a oneof's presence means something. */
  message(field: number, body: Uint8Array): this {
    this.#room(20 + body.length);
    this.#varint((field << 3) | 2);
    this.#varint(body.length);
    this.#buffer.set(body, this.#at);
    this.#at += body.length;
    return this;
  }

  finish(): Buffer {
    this.#buffer[0] = 0;
    this.#buffer.writeUInt32BE(this.#at - 5, 1);
    return Buffer.from(this.#buffer.subarray(0, this.#at));
  }

  /** The body alone, for nesting. */
  body(): Buffer {
    return Buffer.from(this.#buffer.subarray(5, this.#at));
  }
}

const outer = new Writer();
const inner = new Writer();

export function putRequest(key: Uint8Array, value: Uint8Array): Buffer {
  return outer.begin().bytes(1, key).bytes(2, value).finish();
}

/** Without a value, below a lease. */
export function leasedPutRequest(key: Uint8Array, lease: number): Buffer {
  return outer.begin().bytes(1, key).number(3, lease).finish();
}

export function deleteRequest(key: Uint8Array): Buffer {
  return outer.begin().bytes(1, key).finish();
}

export interface RangeFields {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly limit?: number;
  readonly revision?: number;
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

function rangeFields(to: Writer, fields: RangeFields): Writer {
  to.begin().bytes(1, fields.key);
  if (fields.rangeEnd) to.bytes(2, fields.rangeEnd);
  return to
    .number(3, fields.limit ?? 0)
    .number(4, fields.revision ?? 0)
    .number(7, fields.serializable ? 1 : 0)
    .number(8, fields.keysOnly ? 1 : 0)
    .number(9, fields.countOnly ? 1 : 0);
}

export function rangeRequest(fields: RangeFields): Buffer {
  return rangeFields(outer, fields).finish();
}

const requestOp = (field: number, body: Uint8Array): Buffer => inner.begin().message(field, body).body();
const putOp = (key: Uint8Array, value: Uint8Array): Buffer =>
  requestOp(2, inner.begin().bytes(1, key).bytes(2, value).body());
const getOp = (key: Uint8Array): Buffer => requestOp(1, rangeFields(inner, { key }).body());

const EQUAL = 0;
const GREATER = 1;
const TARGET_VERSION = 0;
const TARGET_MOD = 2;

/** If the mod revision of `key` is `expected` (0: absent) then put, else get. */
export function casRequest(key: Uint8Array, expected: number, value: Uint8Array): Buffer {
  const compare = inner.begin().number(1, EQUAL).number(2, TARGET_MOD).bytes(3, key);
  // The field is a oneof: zero must be written too.
  const body = expected === 0 ? Buffer.concat([compare.body(), Buffer.from([6 << 3, 0])]) : compare.number(6, expected).body();
  const success = putOp(key, value);
  const failure = getOp(key);
  return outer.begin().message(1, body).message(2, success).message(3, failure).finish();
}

/** If `key` exists then put, else get: what the reference measurements call cas. */
export function putIfExistsRequest(key: Uint8Array, value: Uint8Array): Buffer {
  const compare = inner.begin().number(1, GREATER).number(2, TARGET_VERSION).bytes(3, key).body();
  const body = Buffer.concat([compare, Buffer.from([4 << 3, 0])]);
  const success = putOp(key, value);
  const failure = getOp(key);
  return outer.begin().message(1, body).message(2, success).message(3, failure).finish();
}

export const EMPTY_REQUEST = Buffer.from([0, 0, 0, 0, 0]);

/**
 * Walks the fields of one message: {@link next} until it is false, then read by the kind of the
 * field.
 */
export class Fields {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #wire = 0;
  field = 0;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.number();
    this.field = tag >>> 3;
    this.#wire = tag & 7;
    return true;
  }

  number(): number {
    let result = 0;
    let scale = 1;
    for (;;) {
      if (this.#at >= this.#end) throw new Error('protobuf: varint ends early');
      const byte = this.#bytes[this.#at++] as number;
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 0x80;
    }
  }

  /** All 64 bits. */
  big(): bigint {
    let result = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (this.#at >= this.#end) throw new Error('protobuf: varint ends early');
      const byte = this.#bytes[this.#at++] as number;
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, result);
    }
  }

  #take(): number {
    const length = this.number();
    const from = this.#at;
    if (length > this.#end - from) throw new Error('protobuf: field ends early');
    this.#at = from + length;
    return from;
  }

  bytes(): Buffer {
    const from = this.#take();
    return this.#bytes.subarray(from, this.#at);
  }

  message(): Fields {
    const from = this.#take();
    return new Fields(this.#bytes, from, this.#at);
  }

  skip(): void {
    if (this.#wire === 0) this.number();
    else if (this.#wire === 2) this.#take();
    else if (this.#wire === 1) this.#at += 8;
    else if (this.#wire === 5) this.#at += 4;
    else throw new Error(`protobuf: wire type ${this.#wire}`);
  }
}

export interface KeyValue {
  key: Buffer;
  value: Buffer;
  modRevision: number;
  version: number;
}

const NOTHING = Buffer.alloc(0);

function keyValue(fields: Fields): KeyValue {
  const out: KeyValue = { key: NOTHING, value: NOTHING, modRevision: 0, version: 0 };
  while (fields.next()) {
    if (fields.field === 1) out.key = fields.bytes();
    else if (fields.field === 3) out.modRevision = fields.number();
    else if (fields.field === 4) out.version = fields.number();
    else if (fields.field === 5) out.value = fields.bytes();
    else fields.skip();
  }
  return out;
}

function headerRevision(fields: Fields): number {
  let revision = 0;
  while (fields.next()) {
    if (fields.field === 3) revision = fields.number();
    else fields.skip();
  }
  return revision;
}

export interface RangeReply {
  revision: number;
  kvs: KeyValue[];
  more: boolean;
  count: number;
}

function rangeReplyOf(fields: Fields): RangeReply {
  const out: RangeReply = { revision: 0, kvs: [], more: false, count: 0 };
  while (fields.next()) {
    if (fields.field === 1) out.revision = headerRevision(fields.message());
    else if (fields.field === 2) out.kvs.push(keyValue(fields.message()));
    else if (fields.field === 3) out.more = fields.number() !== 0;
    else if (fields.field === 4) out.count = fields.number();
    else fields.skip();
  }
  return out;
}

export const rangeReply = (body: Buffer): RangeReply => rangeReplyOf(new Fields(body));

/** The header's revision of any KV answer. */
export function revisionOf(body: Buffer): number {
  const fields = new Fields(body);
  while (fields.next()) {
    if (fields.field === 1) return headerRevision(fields.message());
    fields.skip();
  }
  return 0;
}

export interface TxnReply {
  revision: number;
  succeeded: boolean;
  /** Of the first range among the answers. */
  range: RangeReply | undefined;
}

export function txnReply(body: Buffer): TxnReply {
  const out: TxnReply = { revision: 0, succeeded: false, range: undefined };
  const fields = new Fields(body);
  while (fields.next()) {
    if (fields.field === 1) out.revision = headerRevision(fields.message());
    else if (fields.field === 2) out.succeeded = fields.number() !== 0;
    else if (fields.field === 3) {
      const op = fields.message();
      while (op.next()) {
        if (op.field === 1) out.range ??= rangeReplyOf(op.message());
        else op.skip();
      }
    } else fields.skip();
  }
  return out;
}

export interface StatusReply {
  memberId: bigint;
  leader: bigint;
  version: string;
  raftIndex: number;
  raftTerm: number;
  revision: number;
}

export function statusReply(body: Buffer): StatusReply {
  const out: StatusReply = { memberId: 0n, leader: 0n, version: '', raftIndex: 0, raftTerm: 0, revision: 0 };
  const fields = new Fields(body);
  while (fields.next()) {
    if (fields.field === 1) {
      const header = fields.message();
      while (header.next()) {
        if (header.field === 2) out.memberId = header.big();
        else if (header.field === 3) out.revision = header.number();
        else header.skip();
      }
    } else if (fields.field === 2) out.version = fields.bytes().toString();
    else if (fields.field === 4) out.leader = fields.big();
    else if (fields.field === 5) out.raftIndex = fields.number();
    else if (fields.field === 6) out.raftTerm = fields.number();
    else fields.skip();
  }
  return out;
}

/** The end of the range of all keys with this prefix. */
export function prefixEnd(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    if ((end[i] as number) < 0xff) {
      end[i] = (end[i] as number) + 1;
      return end.subarray(0, i + 1);
    }
  }
  return Buffer.from([0]);
}

/** Creates a watcher of the keys [key, end), from a revision on, or from now on. */
export function watchRequest(key: Uint8Array, end: Uint8Array, startRevision = 0): Buffer {
  const create = inner.begin().bytes(1, key).bytes(2, end).number(3, startRevision).body();
  return outer.begin().message(1, create).finish();
}

function eventOf(event: Fields, onPut: (revision: number, value: Buffer) => void): void {
  while (event.next()) {
    if (event.field !== 2) event.skip();
    else {
      const { modRevision, value } = keyValue(event.message());
      onPut(modRevision, value);
    }
  }
}

/** Each event of a WatchResponse, in order. True: it says that the watcher was created. */
export function watchEvents(body: Buffer, onPut: (revision: number, value: Buffer) => void): boolean {
  let created = false;
  const fields = new Fields(body);
  while (fields.next()) {
    if (fields.field === 11) eventOf(fields.message(), onPut);
    else if (fields.field === 3) created = fields.number() !== 0;
    else fields.skip();
  }
  return created;
}

export const grantRequest = (id: number, ttlSeconds: number): Buffer => outer.begin().number(1, ttlSeconds).number(2, id).finish();
export const keepAliveRequest = (id: number): Buffer => outer.begin().number(1, id).finish();

export function keepAliveReply(body: Buffer): { readonly id: number; readonly ttl: number } {
  let [id, ttl] = [0, 0];
  const fields = new Fields(body);
  while (fields.next()) {
    if (fields.field === 2) id = fields.number();
    else if (fields.field === 3) ttl = fields.number();
    else fields.skip();
  }
  return { id, ttl };
}
