/**
 * The words of a command line: plain ones first, then `key=value`. Whoever reads them also says
 * when that is all.
 */

import type { NodeId } from '../../base/ids.js';
import { TranscriptError, type CommandLine } from './transcript-file.js';

export class Args {
  readonly command: string;
  readonly #line: number;
  readonly #words: string[] = [];
  readonly #options = new Map<string, string>();

  constructor({ line, text }: CommandLine) {
    this.#line = line;
    const [command = '', ...rest] = text.trim().split(/\s+/);
    this.command = command;
    for (const word of rest) {
      const at = word.indexOf('=');
      if (at < 0) {
        if (this.#options.size > 0) this.fail(`"${word}" comes after an option`);
        this.#words.push(word);
        continue;
      }
      const key = word.slice(0, at);
      if (this.#options.has(key)) this.fail(`${key} is given twice`);
      this.#options.set(key, word.slice(at + 1));
    }
  }

  fail(why: string): never {
    throw new TranscriptError(this.#line, `${this.command}: ${why}`);
  }

  number(text: string, what: string): number {
    if (!/^[0-9]+$/.test(text)) this.fail(`${what} is a number, not "${text}"`);
    return Number(text);
  }

  numbers(text: string, what: string): number[] {
    return text === '' ? [] : text.split(',').map((part) => this.number(part, what));
  }

  word(what: string): string {
    return this.#words.shift() ?? this.fail(`${what} is missing`);
  }

  optionalWord(): string | undefined {
    return this.#words.shift();
  }

  /** All that are left. */
  words(): string[] {
    return this.#words.splice(0);
  }

  node(what = 'a node'): NodeId {
    return this.number(this.word(what), what);
  }

  nodes(): NodeId[] {
    return this.words().map((word) => this.number(word, 'a node'));
  }

  option(key: string): string | undefined {
    const value = this.#options.get(key);
    this.#options.delete(key);
    return value;
  }

  numberOption(key: string): number | undefined {
    const value = this.option(key);
    return value === undefined ? undefined : this.number(value, key);
  }

  oneOf<T extends string>(key: string, values: readonly T[], otherwise: T): T {
    const value = this.option(key);
    if (value === undefined) return otherwise;
    return values.find((known) => known === value) ?? this.fail(`${key} is one of ${values.join(', ')}, not "${value}"`);
  }

  /** The options that are left, in the order they were written. */
  options(): [key: string, value: string][] {
    const all = [...this.#options];
    this.#options.clear();
    return all;
  }

  /** Nothing else was said. */
  end(): void {
    const [word] = this.#words;
    if (word !== undefined) this.fail(`"${word}" is one word too many`);
    const [key] = this.#options.keys();
    if (key !== undefined) this.fail(`there is no option ${key}`);
  }
}
