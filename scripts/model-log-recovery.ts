/**
 * `npm run model:log-recovery`: every state that three nodes with three entries can come to by
 * elections, appends, crashes and damage, while damaged logs are recovered by the functions that
 * ship. Exits 1 if an acknowledged entry can be lost, two entries be committed at one index, a
 * wrong one be taken, or a node wait although there is a copy of what it lost. States that are the
 * same but for the names of the nodes are looked at once: of 2.6 million 0.4, in some ten seconds
 * of a processor.
 *
 *   --whole              three crashes, not two: 22.4 million states, in minutes
 *   --terms N            elections reach term N (2)
 *   --crashes N          crashes, each of which may leave any entries bad (2)
 *   --quorum-lowered     a planted mistake: "do not have" counts from one voter less on
 */

import process from 'node:process';
import { parseArgs } from 'node:util';
import { explore } from '../src/replica/log-recovery/testing/explore.js';
import { RecoveryModel } from '../src/replica/log-recovery/testing/recovery-model.js';

const { values } = parseArgs({
  options: {
    terms: { type: 'string', default: '2' }, crashes: { type: 'string' }, whole: { type: 'boolean', default: false },
    'quorum-lowered': { type: 'boolean', default: false },
  },
});
const crashes = Number(values.crashes ?? (values.whole ? 3 : 2));
const model = new RecoveryModel({
  nodes: 3, entries: 3, terms: Number(values.terms), crashes, unknownTerms: true, quorumLowered: values['quorum-lowered'],
});
const began = performance.now();
let said = began;
const run = explore(model);
for (;;) {
  const step = run.next();
  const now = performance.now();
  if (step.done) {
    const { states, unnamed, waiting, violation } = step.value;
    const seconds = Math.round((now - began) / 1000);
    process.stdout.write(`${JSON.stringify({ states, unnamed, waiting, violations: violation ? 1 : 0, ...(violation && { violation: violation.message }), seconds })}\n`);
    process.exitCode = violation ? 1 : 0;
    break;
  }
  if (now - said < 5_000) continue;
  said = now;
  process.stderr.write(`${step.value.unnamed} states but for names, ${step.value.looked} looked at, ${step.value.depth} steps deep\n`);
}
