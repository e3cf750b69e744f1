/**
 * One watcher that reads the past as fast as it can, in a process of its own: what it costs its
 * client is not counted with whoever waits for puts. Run as `laggard.ts SPEC`.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Crowd } from './crowd.js';

interface LaggardSpec {
  readonly url: string;
  readonly prefix: string;
  readonly startRevision: number;
  /** How many it is to hear. */
  readonly events: number;
  readonly timeoutMs: number;
}

export interface LaggardEnd {
  /** It heard all, in order. */
  readonly heard: boolean;
  /** From its request to its last event. */
  readonly ms: number;
}

const SELF = fileURLToPath(import.meta.url);

/** Starts one; `go` lets it begin, and resolves when it has heard all. */
export async function startLaggard(spec: LaggardSpec): Promise<{ readonly go: () => Promise<LaggardEnd>; readonly stop: () => void }> {
  const child = fork(SELF, [JSON.stringify(spec)], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const next = <T>(): Promise<T> => new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the watcher's process ended with code ${code}`)));
  });
  await next();
  const go = (): Promise<LaggardEnd> => {
    const end = next<LaggardEnd>();
    child.send('go');
    return end;
  };
  return { go, stop: () => void child.kill('SIGKILL') };
}

if (process.argv[1] === SELF) {
  const { url, prefix, startRevision, events, timeoutMs } = JSON.parse(process.argv[2] as string) as LaggardSpec;
  process.once('message', () => {
    const began = Date.now();
    const crowd = new Crowd(url, [{ key: prefix, prefix: true, startRevision }], 1);
    void crowd.heard(events, timeoutMs).then((heard) => process.send?.({ heard, ms: Date.now() - began }));
  });
  process.once('disconnect', () => process.exit(1));
  process.send?.('ready');
}
