/**
 * Standard input and output of this process. A reader that has seen enough (`| head`) ends the
 * command without a word.
 */

import { createInterface } from 'node:readline';
import type { Io } from './context.js';
import { secretFrom } from './terminal-secret.js';

/** Only passes if something keeps the process alive; begins when all output has left. */
const GRACE_MS = 300;

let watched = false;

export function processIo(): Io {
  if (!watched) {
    watched = true;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    stdin: async () => {
      const parts: Buffer[] = [];
      for await (const part of process.stdin) parts.push(part as Buffer);
      return Buffer.concat(parts);
    },
    secret: async (question) => (process.stdin.isTTY ? secretFrom(process.stdin, question, process.stderr) : undefined),
    lines: linesOfStdin,
    interrupted: interruptedByOperator,
    env: process.env,
    tty: process.stdout.isTTY === true,
    get columns() {
      return process.stdout.isTTY ? process.stdout.columns : undefined;
    },
    // A slow reader gets all of it first.
    done: (code) => void process.stdout.write('', () => void setTimeout(() => process.exit(code), GRACE_MS).unref()),
  };
}

/** The first signal; a second one ends the process. */
function interruptedByOperator(): AbortSignal {
  const abort = new AbortController();
  const stop = (): void => {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    abort.abort();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return abort.signal;
}

async function* linesOfStdin(): AsyncGenerator<Buffer, void, undefined> {
  // One character per byte: lines are bytes.
  process.stdin.setEncoding('latin1');
  for await (const line of createInterface({ input: process.stdin, terminal: false })) yield Buffer.from(line, 'latin1');
}
