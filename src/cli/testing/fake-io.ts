/** Standard input and output of a command under test. */

import { Deferred } from '../../base/deferred.js';
import type { Io } from '../ctl/context.js';

export class FakeIo implements Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tty = false;
  readonly #stdin: string | Buffer;
  readonly #out: Uint8Array[] = [];
  errors = '';
  /** What is typed when a secret is asked for; undefined: there is no terminal. */
  readonly #secrets: string[] | undefined;
  readonly questions: string[] = [];
  /** ^C is its abort. */
  readonly interrupt = new AbortController();

  constructor(env: Readonly<Record<string, string | undefined>> = {}, stdin: string | Buffer = '', secrets?: readonly string[]) {
    this.env = env;
    this.#secrets = secrets === undefined ? undefined : [...secrets];
    this.#stdin = stdin;
  }

  get text(): string {
    return Buffer.concat(this.#out).toString();
  }

  out(text: string | Uint8Array): void {
    this.#out.push(Buffer.from(text as Uint8Array));
  }

  err(text: string): void {
    this.errors += text;
  }

  /** As from a terminal: they do not end. */
  async *lines(): AsyncGenerator<Buffer, void, undefined> {
    for (const line of (await this.stdin()).toString().split('\n')) if (line !== '') yield Buffer.from(line);
    await new Deferred().promise;
  }

  stdin(): Promise<Buffer> {
    return Promise.resolve(typeof this.#stdin === 'string' ? Buffer.from(this.#stdin) : this.#stdin);
  }

  interrupted(): AbortSignal {
    return this.interrupt.signal;
  }

  secret(question: string): Promise<string | undefined> {
    this.questions.push(question);
    return Promise.resolve(this.#secrets?.shift());
  }
}
