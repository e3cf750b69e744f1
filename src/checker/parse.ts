/**
 * Recorded histories of others: Jepsen's register log and the EDN lines of a map of strings. Times
 * are line numbers; an operation whose outcome is unknown stays open for ever, and an unknown read
 * says nothing and is dropped.
 */

import { CodecError } from '../base/errors.js';
import { must } from '../base/assert.js';
import type { Interval } from './model.js';
import type { RegisterOp, StringOp } from './models.js';

interface Begun<Op> {
  readonly op: Op;
  readonly call: number;
}

/** Pairs calls with returns; those never answered stay open. */
class Pairing<Op> {
  readonly #begun = new Map<string, Begun<Op>>();
  readonly done: Interval<Op>[] = [];

  invoke(process: string, op: Op, call: number): void {
    if (this.#begun.has(process)) throw new CodecError(`process ${process} calls twice at line ${call}`);
    this.#begun.set(process, { op, call });
  }

  take(process: string, line: number): Begun<Op> {
    const begun = this.#begun.get(process);
    if (begun === undefined) throw new CodecError(`process ${process} returns without a call at line ${line}`);
    this.#begun.delete(process);
    return begun;
  }

  returned(op: Op, call: number, ret: number): void {
    this.done.push({ op, call, ret });
  }

  finish(keepOpen: (op: Op) => boolean): Interval<Op>[] {
    for (const { op, call } of this.#begun.values()) if (keepOpen(op)) this.returned(op, call, Infinity);
    return this.done;
  }
}

function registerOp(kind: string, value: string, ok: boolean): RegisterOp {
  const cas = /^\[(-?\d+) (-?\d+)\]$/.exec(value);
  if (kind === 'cas' && cas) return { kind, from: Number(cas[1]), to: Number(cas[2]), ok };
  if (kind === 'read') return { kind, value: /^-?\d+$/.test(value) ? Number(value) : undefined };
  if (kind === 'write' && /^-?\d+$/.test(value)) return { kind, value: Number(value) };
  throw new CodecError(`operation ${kind} ${value} is not known`);
}

/**
 * `INFO jepsen.util - PROCESS :TYPE :OP VALUE`, one register. Lines of any other shape are skipped.
 */
export function parseJepsenRegister(text: string): Interval<RegisterOp>[] {
  const pairing = new Pairing<RegisterOp>();
  const shape = /jepsen\.util\s+-\s+(\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(\S.*?)\s*$/;
  text.split('\n').forEach((line, at) => {
    const found = shape.exec(line);
    if (!found) return;
    const [, process, type, kind, value] = found as unknown as [string, string, string, string, string];
    if (type === 'invoke') return pairing.invoke(process, registerOp(kind, value, true), at);
    const { op, call } = pairing.take(process, at);
    if (type === 'ok') pairing.returned(registerOp(kind, value, true), call, at);
    else if (type === 'fail') {
      // A failed compare-and-set saw another value; any other failure did not happen.
      if (op.kind === 'cas') pairing.returned({ ...op, ok: false }, call, at);
    } else if (op.kind !== 'read') pairing.returned(op, call, Infinity);
  });
  return pairing.finish((op) => op.kind !== 'read');
}

/** `{:process 0, :type :invoke, :f :append, :key "0", :value "x"}`, one event per line. */
export function parseStringMap(text: string): Interval<StringOp>[] {
  const pairing = new Pairing<StringOp>();
  const shape = /:process (\d+), :type :(\w+), :f :(get|put|append), :key "(.*?)", :value (nil|"(.*)")/;
  text.split('\n').forEach((line, at) => {
    const found = shape.exec(line);
    if (!found) return;
    const [, process, type, kind, key] = found as unknown as [string, string, string, StringOp['kind'], string];
    const op: StringOp = { kind, key, value: found[6] ?? '' };
    if (type === 'invoke') return pairing.invoke(process, op, at);
    const begun = pairing.take(process, at);
    if (type === 'ok') pairing.returned(op, begun.call, at);
    else if (type === 'info' && kind !== 'get') pairing.returned(begun.op, begun.call, Infinity);
  });
  return pairing.finish((op) => op.kind !== 'get');
}

/** One history per object: a history is linearizable exactly if each of them is. */
export function partition<Op>(history: readonly Interval<Op>[], keyOf: (op: Op) => string): Map<string, Interval<Op>[]> {
  const parts = new Map<string, Interval<Op>[]>();
  for (const interval of history) {
    const key = keyOf(interval.op);
    if (!parts.has(key)) parts.set(key, []);
    must(parts.get(key), 'just set').push(interval);
  }
  return parts;
}
