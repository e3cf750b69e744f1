/**
 * A process that runs one seed after another for its parent. It ends by itself when the parent is
 * gone, and after a run that broke, whose remains could disturb the next one.
 */

import { messageOf } from '../../base/errors.js';
import { isBroken, runSeed, type SeedRun } from './run-seed.js';
import type { SimOptions } from '../../sim/model/result.js';
import type { Simulate } from './host.js';

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'unable'; readonly why: string }
  | { readonly type: 'done'; readonly run: SeedRun };

async function load(module: string | undefined): Promise<Simulate> {
  if (module === undefined) return (await import('../../sim/run.js')).simulate;
  return ((await import(module)) as { readonly simulate: Simulate }).simulate;
}

function send(message: FromWorker, then?: () => void): void {
  process.send?.(message, undefined, undefined, then === undefined ? undefined : () => then());
}

async function main(): Promise<void> {
  const simulate = await load(process.argv[2]);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (options: SimOptions) => {
    // The limit on wall-clock time is the parent's: it also holds for a loop that never comes back
    // here.
    void runSeed(options, { simulate, limitMs: 0 }).then((run) => {
      send({ type: 'done', run }, isBroken(run) ? () => process.exit(1) : undefined);
    });
  });
  send({ type: 'ready' });
}

main().catch((error: unknown) => send({ type: 'unable', why: messageOf(error) }, () => process.exit(1)));
