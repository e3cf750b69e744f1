/**
 * The process of the writers and watchers: its pauses are its own, and what carries the members'
 * own talk does not wait for it.
 */

import { connect } from '../../../src/client/client.js';
import { seededRandom } from '../random.js';
import { WatchDrill } from './drill.js';
import type { DrillOrder, DrillReport, DrillSpec } from './process.js';

const TELL_MS = 250;
const CALL_MS = 3_000;

const { urls, seed, writers, perSecond } = JSON.parse(process.argv[2] as string) as DrillSpec;
const client = connect({ endpoints: urls, timeoutMs: CALL_MS });
const drill = new WatchDrill(client, urls, seededRandom(seed), perSecond);

function report(message: DrillReport): void {
  process.send?.(message);
}

const tell = (): void => report({ type: 'state', told: drill.tell(), begun: drill.begun, faults: drill.faults });
const timer = setInterval(tell, TELL_MS);
process.on('message', ({ patienceMs }: DrillOrder) => {
  void drill.finish(patienceMs).then((last) => {
    clearInterval(timer);
    tell();
    report({ type: 'finished', last, counts: drill.counts });
  });
});
process.on('disconnect', () => process.exit(1));
drill.start({ writers, perSecond });
