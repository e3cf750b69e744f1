/** One topic of etcdctl's commands; they run in order, against a cluster that all cases share. */

import type { Etcdctl } from './etcdctl.js';

export interface CtlCase {
  readonly name: string;
  /** It takes minutes. */
  readonly slow?: boolean;
  /** The first etcdctl that has it, as `3.7`. */
  readonly since?: string;
  run(ctl: Etcdctl): Promise<void>;
}

/** The words of a command; blanks within a word are written as `_`. */
export const split = (line: string): string[] => line.trim().split(' ').map((word) => word.replaceAll('_', ' '));

/** One command a line. */
export function lines(name: string, text: string, since?: string): CtlCase {
  return {
    name,
    ...(since === undefined ? {} : { since }),
    async run(ctl) {
      for (const line of text.trim().split('\n')) await ctl.run(split(line));
    },
  };
}

/** `3.7.3` is not before `3.7`. */
export function isBefore(version: string, since: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [sinceMajor = 0, sinceMinor = 0] = since.split('.').map(Number);
  return major !== sinceMajor ? major < sinceMajor : minor < sinceMinor;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
