/** Lines of standard input as commands: words, and flags among them. */

import { Command } from 'commander';
import { goUnquote } from '../render/go.js';
import { rawText } from '../render/raw-text.js';
import { UsageFault } from './context.js';

/**
 * Words, quoted where they have blanks: "..." with Go's escapes, '...' as it is. `line` is raw
 * text; `what` it is part of. Throws UsageFault.
 */
export function wordsOf(line: string, what: string): string[] {
  return (line.match(/"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\s]\S*/g) ?? []).map((word) => {
    if (word.startsWith("'")) return word.slice(1, -1);
    if (!word.startsWith('"')) return word;
    const bytes = goUnquote(word);
    if (bytes === undefined) throw new UsageFault(`invalid ${what}: ${line} (bad quoting in ${word})`);
    return rawText(Buffer.from(bytes));
  });
}

/**
 * Commander takes the first `--` away, which ends the flags: with a second one it is among the
 * arguments where it was.
 */
export function withMark(words: readonly string[]): string[] {
  const at = words.indexOf('--');
  return at < 0 ? [...words] : [...words.slice(0, at), '--', ...words.slice(at)];
}

/** Throws UsageFault. */
export function parsed<F>(
  add: (command: Command) => Command, words: readonly string[], line: string, what: string,
): { args: readonly string[]; flags: F } {
  const command = add(new Command()).argument('[args...]').exitOverride().configureOutput({ writeErr: () => undefined });
  try {
    command.parse([...words], { from: 'user' });
  } catch (error) {
    throw new UsageFault(`invalid ${what}: ${line} (${error instanceof Error ? error.message : String(error)})`);
  }
  return { args: command.args, flags: command.opts() as F };
}
