/**
 * One watcher that reads the past as fast as it can, in a process of its own, which has started and
 * has its connection before, and decodes no more than it needs: what it costs its client is not
 * counted with whoever waits for puts. Run as `laggard.ts SPEC`.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { METHODS } from '../load/grpc.js';
import { LeanEndpoint } from '../load/lean.js';
import { prefixEnd, watchEvents, watchRequest } from '../load/wire.js';

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

function lag({ url, prefix, startRevision, events, timeoutMs }: LaggardSpec): void {
  const endpoint = new LeanEndpoint(url, 1);
  let began = 0;
  let heard = 0;
  let last = 0;
  const end = (all: boolean): void => void process.send?.({ heard: all, ms: Date.now() - began });
  const stream = endpoint.stream(METHODS.watch, (message) => {
    const created = watchEvents(message, (revision) => {
      if (revision <= last) end(false);
      last = revision;
      heard++;
    });
    if (created && began === 0) process.send?.('ready');
    if (heard >= events && last > 0) end(heard === events);
  }, (why) => {
    process.stderr.write(`the watcher that is behind: ${why}\n`);
    end(false);
  });
  process.once('message', () => {
    began = Date.now();
    setTimeout(() => end(false), timeoutMs);
    const key = Buffer.from(prefix);
    stream.send(watchRequest(key, prefixEnd(key), startRevision));
  });
  // Nobody writes this key: with it the stream is open.
  stream.send(watchRequest(Buffer.from('nobody'), Buffer.alloc(0)));
}

if (process.argv[1] === SELF) {
  process.once('disconnect', () => process.exit(1));
  lag(JSON.parse(process.argv[2] as string) as LaggardSpec);
}
