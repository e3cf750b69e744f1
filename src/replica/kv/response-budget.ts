/**
 * What the response to one request may hold. It counts for nothing in what an entry does (S2): a
 * response that grows beyond it is given up, and the request is carried out all the same.
 */

import { MiB } from '../../base/bytes.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { KeyValue } from '../../api/requests.js';

/** Of keys, values and what is kept with each: more is neither held nor sent. */
export const MAX_RESPONSE_BYTES = 512 * MiB;
/** Kept of each key in a response besides its bytes, roughly. */
const KEY_OVERHEAD_BYTES = 256;

export class ResponseBudget {
  readonly #asked: boolean;
  #left: number;

  /** `asked`: somebody waits for the response. */
  constructor(asked: boolean, maxBytes = MAX_RESPONSE_BYTES) {
    this.#asked = asked;
    this.#left = maxBytes;
  }

  /** Somebody waits, and it has not grown too large: gather for it. */
  get wanted(): boolean {
    return this.#asked && this.#left >= 0;
  }

  /** Somebody waits, and gets an error in its place. */
  get exceeded(): boolean {
    return this.#asked && this.#left < 0;
  }

  take(kv: KeyValue): void {
    this.takeBytes(kv.key.length + kv.value.length + KEY_OVERHEAD_BYTES);
  }

  /** Of keys and values that are packed, with nothing kept for each. */
  takeBytes(bytes: number): void {
    this.#left -= bytes;
  }
}

/** In place of a response that was given up. `done`: what was asked for was carried out. */
export function tooLarge(done: boolean): EtcdError {
  return new EtcdError('RESPONSE_TOO_LARGE', done ? 'what was asked for was done' : 'ask for less at a time');
}
