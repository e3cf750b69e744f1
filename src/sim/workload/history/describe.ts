/** Operations and answers in words, short enough for a line of a report. */

import type { OpRecord } from './history.js';
import type { Answer, InnerOp, Kv, Op } from './operation.js';

const MOST_KVS = 6;

export function keyName(key: string): string {
  const shown = JSON.stringify(key.length > 24 ? `${key.slice(0, 20)}…` : key);
  return key.length > 24 ? `${shown}(${key.length})` : shown;
}

function span(key: string, end: string): string {
  return end === '' ? keyName(key) : `[${keyName(key)}, ${keyName(end)})`;
}

function ops(list: readonly InnerOp[]): string {
  return list.map(describeOp).join('; ');
}

export function describeOp(op: Op): string {
  switch (op.kind) {
    case 'put': return `put ${keyName(op.key)} = #${op.value}${op.lease === 0 ? '' : ` of lease ${op.lease}`}`;
    case 'revoke': return `revoke lease ${op.lease}`;
    case 'delete': return `delete ${span(op.key, op.end)}`;
    case 'compact': return `compact ${op.revision}`;
    case 'range': {
      const flags = [
        op.revision > 0 ? `at ${op.revision}` : '', op.limit > 0 ? `limit ${op.limit}` : '', op.order === 'none' ? '' : `${op.order} by ${op.sortBy}`,
        op.serializable ? 'serializable' : '', op.keysOnly ? 'keys' : '', op.countOnly ? 'count' : '', op.minMod > 0 ? `mod >= ${op.minMod}` : '',
      ].filter((flag) => flag !== '');
      return `get ${span(op.key, op.end)}${flags.length > 0 ? ` (${flags.join(', ')})` : ''}`;
    }
    case 'txn': {
      const compare = op.compare.map((c) => `${c.target} of ${span(c.key, c.end)} ${c.result} ${c.operand}`).join(' and ');
      return `txn if ${compare === '' ? 'true' : compare} {${ops(op.success)}} else {${ops(op.failure)}}`;
    }
  }
}

export function describeKv(kv: Kv): string {
  return `${keyName(kv.key)}=#${kv.value} mod ${kv.mod} create ${kv.create} version ${kv.version}${kv.lease === 0 ? '' : ` lease ${kv.lease}`}`;
}

function kvs(list: readonly Kv[]): string {
  const more = list.length > MOST_KVS ? `, … ${list.length} in all` : '';
  return `[${list.slice(0, MOST_KVS).map(describeKv).join(', ')}${more}]`;
}

export function describeAnswer(answer: Answer): string {
  const at = answer.revision > 0 ? `revision ${answer.revision}` : 'nested';
  switch (answer.kind) {
    case 'range': return `${at} count ${answer.count}${answer.more ? ' more' : ''} ${kvs(answer.kvs)}`;
    case 'put': return `${at}${answer.prevKv === undefined ? '' : ` previous ${describeKv(answer.prevKv)}`}`;
    case 'delete': return `${at} deleted ${answer.deleted}${answer.prevKvs.length > 0 ? ` ${kvs(answer.prevKvs)}` : ''}`;
    case 'txn': return `${at} ${answer.succeeded ? 'then' : 'else'} (${answer.responses.map(describeAnswer).join('; ')})`;
    case 'revoke':
    case 'compact': return at;
  }
}

function seconds(us: number): string {
  return us === Infinity ? 'never' : (us / 1e6).toFixed(6);
}

/** An operation with whom, when and what came of it. */
export function describeRecord(record: OpRecord): string {
  const { id, client, node, life, op, callUs, retUs, outcome } = record;
  const result =
    outcome === undefined ? 'under way'
    : outcome.kind === 'answered' ? describeAnswer(outcome.answer)
    : `${outcome.kind} ${outcome.code}`;
  return `operation ${id} (client ${client}, node ${node} life ${life}, ${seconds(callUs)}..${seconds(retUs)} s) ${describeOp(op)} -> ${result}`;
}
