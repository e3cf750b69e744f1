/**
 * The text of a transcript: prose, and blocks of commands with what they put out.
 *
 *     # Prose begins with a hash, also between the commands of a block.
 *     command argument key=value
 *     another command
 *     ----
 *     what they put out, up to an empty line
 *
 * Nothing but the output is ever rewritten.
 */

/** Something is wrong with the transcript itself, at this line of it. */
export class TranscriptError extends Error {
  override readonly name = 'TranscriptError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

export interface CommandLine {
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
}

export interface Block {
  readonly commands: readonly CommandLine[];
  /** Everything through the `----`, as it stands. */
  readonly head: readonly string[];
  /** The line of the first line of output. */
  readonly outputLine: number;
  readonly output: readonly string[];
}

export interface Transcript {
  /** The first line of prose. */
  readonly title: string;
  readonly blocks: readonly Block[];
  /** What follows the last block. */
  readonly rest: readonly string[];
}

const RULE = '----';

export function parseTranscript(text: string): Transcript {
  const lines = text.replace(/\n$/, '').split('\n');
  const blocks: Block[] = [];
  let head: string[] = [];
  let commands: CommandLine[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    head.push(line);
    if (line === RULE) {
      if (commands.length === 0) throw new TranscriptError(at + 1, 'output without a command');
      const from = at + 1;
      while (at + 1 < lines.length && lines[at + 1] !== '') at++;
      blocks.push({ commands, head, outputLine: from + 1, output: lines.slice(from, at + 1) });
      head = [];
      commands = [];
    } else if (line !== '' && !line.startsWith('#')) {
      commands.push({ line: at + 1, text: line });
    } else if (line === '' && commands.length > 0) {
      throw new TranscriptError(at + 1, `a command is followed by ${RULE}`);
    }
  }
  if (commands.length > 0) throw new TranscriptError(lines.length, `a command is followed by ${RULE}`);
  const title = lines.find((line) => line.startsWith('# '));
  if (title === undefined) throw new TranscriptError(1, 'a transcript begins with what it tells');
  return { title: title.slice(2), blocks, rest: head };
}

/** The transcript with other outputs, one list of lines per block. */
export function renderTranscript({ blocks, rest }: Transcript, outputs: readonly (readonly string[])[]): string {
  const lines = blocks.flatMap(({ head }, i) => [...head, ...(outputs[i] ?? [])]);
  return `${[...lines, ...rest].join('\n')}\n`;
}

/** Undefined if the block put out what it says; else what differs, `-` expected and `+` put out. */
export function differenceOf(block: Block, output: readonly string[]): string | undefined {
  const expected = block.output;
  let from = 0;
  while (from < expected.length && from < output.length && expected[from] === output[from]) from++;
  if (from === expected.length && from === output.length) return undefined;
  let same = 0;
  while (same < Math.min(expected.length, output.length) - from && expected.at(-1 - same) === output.at(-1 - same)) same++;
  const mark = (sign: string, lines: readonly string[]): string[] => lines.map((line) => `  ${sign} ${line}`);
  return [
    `line ${block.outputLine + from}, after "${block.commands.at(-1)?.text}":`,
    ...mark(' ', expected.slice(Math.max(0, from - 2), from)),
    ...mark('-', expected.slice(from, expected.length - same)),
    ...mark('+', output.slice(from, output.length - same)),
    ...mark(' ', output.slice(output.length - same).slice(0, 2)),
  ].join('\n');
}
