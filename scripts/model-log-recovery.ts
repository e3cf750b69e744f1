/**
 * `npm run model:log-recovery`: every state that three nodes with three entries can come to by
 * elections, appends, crashes and damage, while damaged logs are recovered by the functions that
 * ship. Fails if an acknowledged entry can be lost, two entries be committed at one index, a wrong
 * one be taken, or a node wait although there is a copy of what it lost. States that are the same
 * but for the names of the nodes are looked at once: of 2.6 million 0.4.
 */

import process from 'node:process';
import { explore } from '../src/replica/log-recovery/testing/explore.js';
import { RecoveryModel } from '../src/replica/log-recovery/testing/recovery-model.js';
import { flags, runMain, whole } from './lib/command.js';

const HELP = `npm run model:log-recovery -- [options]

  --whole              three crashes, not two: 22.4 million states, in half an hour
  --terms N            elections reach term N (2)
  --crashes N          crashes, each of which may leave any entries bad (2)
  --quorum-lowered     a planted mistake: "do not have" counts from one voter less on

  npm run model:log-recovery                       2.6 million states, in some ten seconds
  npm run model:log-recovery -- --quorum-lowered   fails at once
`;

await runMain(HELP, async () => {
  const { values } = flags({
    terms: { type: 'string', default: '2' }, crashes: { type: 'string' }, whole: { type: 'boolean', default: false },
    'quorum-lowered': { type: 'boolean', default: false },
  });
  const model = new RecoveryModel({
    nodes: 3, entries: 3, terms: whole(values.terms, 'terms', 1), crashes: whole(values.crashes ?? (values.whole ? '3' : '2'), 'crashes'),
    unknownTerms: true, quorumLowered: values['quorum-lowered'],
  });
  const began = performance.now();
  let said = began;
  const run = explore(model);
  for (;;) {
    const step = run.next();
    const now = performance.now();
    if (step.done) {
      const { states, unnamed, waiting, violation } = step.value;
      const verdict = { violations: violation ? 1 : 0, ...(violation && { violation: violation.message }) };
      process.stdout.write(`${JSON.stringify({ states, unnamed, waiting, ...verdict, seconds: Math.round((now - began) / 1000) })}\n`);
      return violation ? 1 : 0;
    }
    if (now - said < 5_000) continue;
    said = now;
    process.stderr.write(`${step.value.unnamed} states but for names, ${step.value.looked} looked at, ${step.value.depth} steps deep\n`);
    // Whoever stops it is heard.
    await new Promise((resolve) => setImmediate(resolve));
  }
});
