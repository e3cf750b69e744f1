/** Asks for a secret at a terminal, which shows nothing of it and is as before afterwards. */

import { Failed } from './context.js';
import { SecretLine } from './secret-line.js';

/** Of `tty.ReadStream` what is needed. */
export interface Terminal {
  setRawMode(raw: boolean): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'end', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  unshift(chunk: Uint8Array): void;
}

/**
 * Nothing is shown of what is typed from the moment on at which the question stands there. Throws
 * Failed: it was cancelled, or the terminal is gone.
 */
export function secretFrom(terminal: Terminal, question: string, out: { write(text: string): unknown }): Promise<string> {
  return new Promise((resolve, reject) => {
    const line = new SecretLine();
    const leave = (): void => {
      terminal.off('data', onData);
      terminal.off('end', onEnd);
      terminal.setRawMode(false);
      terminal.pause();
      out.write('\n');
    };
    const onEnd = (): void => {
      leave();
      reject(new Failed('the terminal is gone'));
    };
    const onData = (chunk: Buffer): void => {
      const typed = line.feed(chunk);
      if (typed.kind === 'more') return;
      leave();
      if (typed.kind === 'cancelled') return reject(new Failed('cancelled'));
      if (typed.rest.length > 0) terminal.unshift(typed.rest);
      resolve(typed.text);
    };
    terminal.setRawMode(true);
    terminal.on('data', onData);
    terminal.on('end', onEnd);
    terminal.resume();
    out.write(question);
  });
}
