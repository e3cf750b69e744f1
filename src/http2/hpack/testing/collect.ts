import type { FieldSink, HpackDecoder } from '../decoder.js';
import type { Field } from '../field.js';
import { plainInteger, type Pair } from './plain-hpack.js';

/** Takes all fields, or the first few. */
export class Collected implements FieldSink {
  readonly fields: Field[] = [];
  readonly #most: number;

  constructor(most = Infinity) {
    this.#most = most;
  }

  field(field: Field): boolean {
    this.fields.push(field);
    return this.fields.length < this.#most;
  }

  get pairs(): Pair[] {
    return this.fields.map(({ name, value }) => [name, value]);
  }
}

/** Names and values of a block, which lies between other bytes; undefined if it is broken. */
export function decodeAll(decoder: HpackDecoder, block: Uint8Array): Pair[] | undefined {
  const around = new Uint8Array(block.length + 5).fill(0xff);
  around.set(block, 2);
  const collected = new Collected();
  return decoder.decode(around, 2, 2 + block.length, collected) === 'ok' ? collected.pairs : undefined;
}

/** The fields of the dynamic table, the newest first. */
export function tableOf(decoder: HpackDecoder): Pair[] {
  const table: Pair[] = [];
  for (let index = 62; ; index++) {
    const collected = new Collected();
    const block = Uint8Array.from(plainInteger(0x80, 7, index));
    if (decoder.decode(block, 0, block.length, collected) === 'broken') return table;
    table.push(...collected.pairs);
  }
}
