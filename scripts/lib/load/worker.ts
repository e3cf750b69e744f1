/**
 * The load process: takes orders from its parent, one at a time. A process of its own, so that its
 * CPU is known and its pauses are its own.
 */

import { runBench } from './bench-load.js';
import { HistoryLoad } from './history-load.js';
import type { Order, Report } from './protocol.js';

const PROGRESS_MS = 200;

let history: { readonly load: HistoryLoad; readonly file: string; readonly timer: NodeJS.Timeout } | undefined;

function report(message: Report): void {
  process.send?.(message);
}

async function obey(order: Order): Promise<void> {
  switch (order.type) {
    case 'bench':
      report({ type: 'bench', result: await runBench(order.spec, (what) => report({ type: 'mark', what })) });
      return;
    case 'history': {
      const load = new HistoryLoad(order.spec);
      const tell = (): void => report({ type: 'progress', acknowledged: load.acknowledged, errors: load.errors });
      history = { load, file: order.file, timer: setInterval(tell, PROGRESS_MS) };
      load.start();
      return;
    }
    case 'stop-history': {
      if (history === undefined) throw new Error('no history is being recorded');
      const { load, file, timer } = history;
      history = undefined;
      const operations = await load.stop(file);
      clearInterval(timer);
      report({ type: 'history', operations });
      return;
    }
    case 'exit':
      process.exit(0);
  }
}

process.on('message', (order: Order) => {
  obey(order).catch((error: unknown) => {
    report({ type: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group: the parent decides when the load ends.
process.on('SIGINT', () => undefined);
report({ type: 'ready' });
