/**
 * How a command of `ctl` is declared: name, arguments, what it does, examples. Each gets a context
 * that is closed after it.
 */

import type { Command } from 'commander';
import { Context, type GlobalFlags, type Io } from './context.js';
import { loginOf } from './passwords.js';

/** Arguments are checked by the commands: they have etcdctl's words for what is missing. */
export type Body<F> = (context: Context, args: readonly string[], flags: F) => Promise<void>;

export class Register {
  readonly #io: Io;
  readonly #root: Command;
  readonly #parent: Command;

  constructor(io: Io, root: Command, parent = root) {
    this.#io = io;
    this.#root = root;
    this.#parent = parent;
  }

  command<F>(name: string, args: string, help: string, body: Body<F>, examples: string): Command {
    return this.marked<F>(name, args, help, (context, given, flags) => body(context, withoutMark(given), flags), examples);
  }

  /** One that looks for `--` among its arguments. */
  marked<F>(name: string, args: string, help: string, body: Body<F>, examples: string): Command {
    const command = this.#parent.command(name).description(help).usage(`[flags] ${args}`.trim());
    command.allowExcessArguments(true).argument('[args...]').addHelpText('after', `\nExamples:${examples}`);
    command.configureHelp({ visibleArguments: () => [], sortOptions: true });
    command.action(async (given: readonly string[], flags: F) => {
      const globals = this.#root.opts<GlobalFlags>();
      const context = new Context(this.#io, globals, await loginOf(this.#io, globals));
      try {
        await body(context, given, flags);
      } finally {
        context.client.close();
      }
    });
    return command;
  }

  /** Commands below a word, such as `endpoint status`. */
  group(name: string, help: string, examples: string): Register {
    const command = this.#parent.command(name).description(help).addHelpText('after', `\nExamples:${examples}`);
    return new Register(this.#io, this.#root, command);
  }
}

/** The second of the two that `withMark` made of the first. */
function withoutMark(given: readonly string[]): readonly string[] {
  const at = given.indexOf('--');
  return at < 0 ? given : [...given.slice(0, at), ...given.slice(at + 1)];
}
