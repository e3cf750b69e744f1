/**
 * Passwords are hashed and compared in a thread of their own: bcrypt is slow on purpose, and must
 * not keep the event loop from heartbeats. C1 So many wait at most; a flood of more is refused.
 * The thread begins with the first password.
 */

import { randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { EtcdError } from '../../api/etcd-error.js';
import { must } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';

/** What bcrypt looks at. */
const MAX_PASSWORD_BYTES = 72;
const MAX_WAITING = 64;

/** Without imports of ours: it is not bundled. */
const CODE = `
const { parentPort, workerData } = require('node:worker_threads');
const library = import(workerData);
parentPort.on('message', async ({ id, password, salt, cost, hash }) => {
  try {
    const { bcrypt, bcryptVerify } = await library;
    const result = hash === undefined
      ? await bcrypt({ password, salt, costFactor: cost, outputType: 'encoded' })
      : await bcryptVerify({ password, hash });
    parentPort.postMessage({ id, result });
  } catch (error) {
    parentPort.postMessage({ id, error: 'bcrypt failed' });
  }
});
`;

interface Job {
  readonly password: string;
  readonly salt?: Uint8Array;
  readonly cost?: number;
  readonly hash?: string;
}

interface Answer {
  readonly id: number;
  readonly result?: string | boolean;
  readonly error?: string;
}

export class Passwords {
  readonly #cost: number;
  #worker: Worker | undefined;
  #nobodys: Promise<string> | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, Deferred<string | boolean>>();

  /** `cost`: 4 to 31, the binary logarithm of the rounds. */
  constructor(cost: number) {
    this.#cost = cost;
  }

  /**
   * Salted. Of an empty password: what no password is good against. EtcdError PASSWORD_TOO_LONG,
   * TOO_MANY_REQUESTS.
   */
  async hash(password: string): Promise<string> {
    if (password === '') return '';
    if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) throw new EtcdError('PASSWORD_TOO_LONG');
    return (await this.#run({ password, salt: randomBytes(16), cost: this.#cost })) as string;
  }

  /**
   * Without a hash it takes as long, so that nobody learns which users there are. EtcdError
   * TOO_MANY_REQUESTS.
   */
  async isGood(password: string, hash: string | undefined): Promise<boolean> {
    if (password === '' || hash === '' || Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return false;
    if (hash !== undefined) return (await this.#run({ password, hash })) as boolean;
    this.#nobodys ??= this.hash(randomBytes(16).toString('hex'));
    const other = await this.#nobodys.catch((error: unknown) => {
      this.#nobodys = undefined;
      throw error;
    });
    await this.#run({ password, hash: other });
    return false;
  }

  #run(job: Job): Promise<string | boolean> {
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new EtcdError('TOO_MANY_REQUESTS'));
    const worker = (this.#worker ??= this.#begin());
    const answer = new Deferred<string | boolean>();
    this.#waiting.set(++this.#lastId, answer);
    worker.ref();
    worker.postMessage({ ...job, id: this.#lastId });
    return answer.promise;
  }

  #begin(): Worker {
    const worker = new Worker(CODE, { eval: true, execArgv: [], workerData: import.meta.resolve('hash-wasm') });
    worker.on('message', ({ id, result, error }: Answer) => {
      const answer = must(this.#waiting.get(id), 'a password is answered once');
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
      if (error === undefined && result !== undefined) answer.resolve(result);
      else answer.reject(new EtcdError('STOPPED'));
    });
    worker.on('error', () => {
      this.#worker = undefined;
      for (const answer of this.#waiting.values()) answer.reject(new EtcdError('STOPPED'));
      this.#waiting.clear();
    });
    return worker;
  }
}
