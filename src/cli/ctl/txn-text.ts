/**
 * etcdctl's text form of a txn: conditions, an empty line, operations, an empty line, operations of
 * the other branch, an empty line.
 */

import { utf8 } from '../../base/bytes.js';
import type { Compare, CompareResult, CompareTarget, RequestOp, TxnRequest } from '../../api/requests.js';
import { goUnquote } from '../render/go.js';
import { UsageFault } from './context.js';
import { addDelFlags, addGetFlags, addPutFlags, delRequest, getRequest, putRequestOf, type DelFlags, type GetFlags, type PutFlags } from './kv-commands.js';
import { parsed, wordsOf } from './words.js';

/** What a line is part of. */
const TXN = 'txn request';
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"|`[^`]*`';
const COMPARE = new RegExp(`^\\s*(\\w+)\\s*\\(\\s*(${QUOTED})\\s*\\)\\s*(=|!=|<|>)\\s*(${QUOTED})\\s*$`);
const RESULTS: Readonly<Record<string, CompareResult>> = { '=': 'equal', '!=': 'not-equal', '<': 'less', '>': 'greater' };

function numberOf(bytes: Uint8Array, line: string): number {
  const text = Buffer.from(bytes).toString();
  const n = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(n)) throw new UsageFault(`malformed comparison: ${line} (${JSON.stringify(text)} is not a whole number)`);
  return n;
}

function targetOf(name: string, value: Uint8Array, line: string): CompareTarget {
  switch (name) {
    case 'ver':
    case 'version':
      return { kind: 'version', version: numberOf(value, line) };
    case 'c':
    case 'create':
      return { kind: 'create', revision: numberOf(value, line) };
    case 'm':
    case 'mod':
      return { kind: 'mod', revision: numberOf(value, line) };
    case 'val':
    case 'value':
      return { kind: 'value', value };
    case 'lease': {
      const text = Buffer.from(value).toString();
      if (!/^[0-9a-fA-F]{1,16}$/.test(text)) throw new UsageFault(`malformed comparison: ${line} (a lease is an id in hex)`);
      return { kind: 'lease', lease: BigInt(`0x${text}`) };
    }
    default:
      throw new UsageFault(`malformed comparison: ${line} (unknown target ${name}: ver, create, mod, value or lease)`);
  }
}

function parseCompare(line: string): Compare {
  const [, name, quotedKey, operator, quotedValue] = COMPARE.exec(line) ?? [];
  const key = goUnquote(quotedKey ?? '');
  const value = goUnquote(quotedValue ?? '');
  const result = RESULTS[operator ?? ''];
  if (name === undefined || key === undefined || value === undefined || result === undefined) {
    throw new UsageFault(`malformed comparison: ${line} (for example: val("key") = "value", or mod("key") > "12")`);
  }
  return { result, key, rangeEnd: utf8(''), target: targetOf(name, value, line) };
}

function parseOp(line: string): RequestOp {
  const [name, ...words] = wordsOf(line, TXN);
  switch (name) {
    case 'get': {
      const { args, flags } = parsed<GetFlags>(addGetFlags, words, line, TXN);
      return { kind: 'range', request: getRequest(args, flags) };
    }
    case 'put': {
      const { args, flags } = parsed<PutFlags>(addPutFlags, words, line, TXN);
      return { kind: 'put', request: putRequestOf(args, flags) };
    }
    case 'del': {
      const { args, flags } = parsed<DelFlags>(addDelFlags, words, line, TXN);
      return { kind: 'delete-range', request: delRequest(args, flags) };
    }
    default:
      throw new UsageFault(`invalid txn request: ${line} (an operation is get, put or del)`);
  }
}

const PARTS = ['comparison', 'success', 'failure'] as const;

/**
 * `text`: raw text (`rawText`), so that bytes stay as they are. Throws UsageFault. A text that ends
 * too early is refused: half a txn must not be carried out.
 */
export function parseTxn(text: string): TxnRequest {
  const lines = text.split('\n');
  // What follows the last newline is no line.
  lines.pop();
  const parts: string[][] = [];
  for (const part of PARTS) {
    const end = lines.findIndex((line) => line.trim() === '');
    if (end < 0) {
      throw new UsageFault(`standard input ended within the ${part} part: comparisons, success operations and failure operations each end with an empty line`);
    }
    parts.push(lines.splice(0, end + 1).slice(0, -1));
  }
  const [compare = [], success = [], failure = []] = parts;
  return { compare: compare.map(parseCompare), success: success.map(parseOp), failure: failure.map(parseOp) };
}
