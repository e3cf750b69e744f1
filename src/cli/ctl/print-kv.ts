/**
 * Answers of KV in etcdctl's formats: `simple`, `json` and `fields` are equal to its output byte
 * for byte.
 */

import { toHex } from '../../base/bytes.js';
import type {
  DeleteRangeResponse, KeyValue, PutResponse, RangeResponse, ResponseHeader, ResponseOp, TxnResponse,
} from '../../api/requests.js';
import { goJson, goQuote, nonZero, type GoValue } from '../render/go.js';
import type { Context } from './context.js';

type Headed<T> = T & { readonly header?: ResponseHeader };

const NEWLINE = Buffer.from('\n');

/** Collects lines of raw bytes: values need not be text. */
class Lines {
  readonly #parts: Uint8Array[] = [];

  bytes(bytes: Uint8Array): void {
    this.#parts.push(bytes, NEWLINE);
  }

  text(text: string): void {
    this.bytes(Buffer.from(text));
  }

  join(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function hexBytes(bytes: Uint8Array): Uint8Array {
  return Buffer.from(toHex(bytes).replace(/../g, '\\x$&'));
}

export interface KvPrintOptions {
  readonly hex: boolean;
  readonly valueOnly: boolean;
}

export type KvAnswer =
  | { readonly kind: 'range'; readonly response: Headed<RangeResponse> }
  | { readonly kind: 'put'; readonly response: Headed<PutResponse> }
  | { readonly kind: 'delete-range'; readonly response: Headed<DeleteRangeResponse> }
  | { readonly kind: 'txn'; readonly response: Headed<TxnResponse> };

function simpleKv(lines: Lines, kv: KeyValue, { hex, valueOnly }: KvPrintOptions): void {
  if (!valueOnly) lines.bytes(hex ? hexBytes(kv.key) : kv.key);
  lines.bytes(hex ? hexBytes(kv.value) : kv.value);
}

function simple(lines: Lines, answer: KvAnswer, options: KvPrintOptions): void {
  const all = { ...options, valueOnly: false };
  switch (answer.kind) {
    case 'range':
      for (const kv of answer.response.kvs) simpleKv(lines, kv, options);
      return;
    case 'put':
      lines.text('OK');
      if (answer.response.prevKv !== undefined) simpleKv(lines, answer.response.prevKv, all);
      return;
    case 'delete-range':
      lines.text(String(answer.response.deleted));
      for (const kv of answer.response.prevKvs) simpleKv(lines, kv, all);
      return;
    case 'txn':
      lines.text(answer.response.succeeded ? 'SUCCESS' : 'FAILURE');
      for (const op of answer.response.responses) {
        lines.text('');
        simple(lines, op, all);
      }
  }
}

export function jsonHeader(header: ResponseHeader): GoValue {
  return {
    cluster_id: nonZero(header.clusterId),
    member_id: nonZero(header.memberId),
    revision: nonZero(header.revision),
    raft_term: nonZero(header.raftTerm),
  };
}

export function jsonKv(kv: KeyValue): GoValue {
  return {
    key: nonZero(kv.key),
    create_revision: nonZero(kv.createRevision),
    mod_revision: nonZero(kv.modRevision),
    version: nonZero(kv.version),
    value: nonZero(kv.value),
    lease: nonZero(kv.lease),
  };
}

/** The header of an answer inside a txn holds its revision alone. */
function headerOf(answer: KvAnswer): ResponseHeader {
  return answer.response.header ?? { clusterId: 0n, memberId: 0n, revision: answer.response.revision, raftTerm: 0 };
}

const OP_NAMES = { 'range': 'ResponseRange', 'put': 'ResponsePut', 'delete-range': 'ResponseDeleteRange', 'txn': 'ResponseTxn' } as const;

function jsonOf(answer: KvAnswer): GoValue {
  const header = jsonHeader(headerOf(answer));
  switch (answer.kind) {
    case 'range': {
      const { kvs, more, count } = answer.response;
      return { header, kvs: nonZero(kvs.map(jsonKv)), more: nonZero(more), count: nonZero(count) };
    }
    case 'put': {
      const { prevKv } = answer.response;
      return { header, prev_kv: prevKv === undefined ? undefined : jsonKv(prevKv) };
    }
    case 'delete-range': {
      const { deleted, prevKvs } = answer.response;
      return { header, deleted: nonZero(deleted), prev_kvs: nonZero(prevKvs.map(jsonKv)) };
    }
    case 'txn': {
      const { succeeded, responses } = answer.response;
      const op = (r: ResponseOp): GoValue => ({ Response: { [OP_NAMES[r.kind]]: jsonOf(r) } });
      return { header, succeeded: nonZero(succeeded), responses: nonZero(responses.map(op)) };
    }
  }
}

export function headerFields(header: ResponseHeader): string {
  return `"ClusterID" : ${header.clusterId}\n"MemberID" : ${header.memberId}\n"Revision" : ${header.revision}\n"RaftTerm" : ${header.raftTerm}\n`;
}

export function kvFields(kv: KeyValue, prefix: string): string {
  return `"${prefix}Key" : ${goQuote(kv.key)}\n"${prefix}CreateRevision" : ${kv.createRevision}\n"${prefix}ModRevision" : ${kv.modRevision}\n` +
    `"${prefix}Version" : ${kv.version}\n"${prefix}Value" : ${goQuote(kv.value)}\n"${prefix}Lease" : ${kv.lease}\n`;
}

function fieldsOf(answer: KvAnswer): string {
  const header = headerFields(headerOf(answer));
  switch (answer.kind) {
    case 'range': {
      const { kvs, more, count } = answer.response;
      return `${header}${kvs.map((kv) => kvFields(kv, '')).join('')}"More" : ${more}\n"Count" : ${count}\n`;
    }
    case 'put': {
      const { prevKv } = answer.response;
      return header + (prevKv === undefined ? '' : kvFields(prevKv, 'Prev'));
    }
    case 'delete-range':
      return `${header}"Deleted" : ${answer.response.deleted}\n${answer.response.prevKvs.map((kv) => kvFields(kv, 'Prev')).join('')}`;
    case 'txn':
      return `${header}"Succeeded" : ${answer.response.succeeded}\n${answer.response.responses.map(fieldsOf).join('')}`;
  }
}

/** A line, and below it keys and values. */
export function printPairs({ io, hex }: Context, head: string, kvs: readonly KeyValue[]): void {
  const lines = new Lines();
  lines.text(head);
  for (const kv of kvs) simpleKv(lines, kv, { hex, valueOnly: false });
  io.out(lines.join());
}

export function printKv(context: Context, answer: KvAnswer, valueOnly = false): void {
  const { io, format, hex } = context;
  if (format === 'json') return io.out(`${goJson(jsonOf(answer))}\n`);
  if (format === 'fields') return io.out(fieldsOf(answer));
  const lines = new Lines();
  simple(lines, answer, { hex, valueOnly });
  io.out(lines.join());
}
