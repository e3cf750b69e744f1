/**
 * `npm run model:readmission`: every state that three members can come to while some of them lose
 * what they have promised and are re-admitted, by the rules that ship. Fails if a member can vote
 * twice in a term, a committed entry be lost, or one intent lead to two new ids.
 */

import process from 'node:process';
import { explore } from '../src/replica/readmission/testing/readmission-model.js';
import { flags, runMain, UsageError, whole } from './lib/command.js';

const HELP = `npm run model:readmission -- [options]

  --terms N     elections reach term N (2)
  --entries N   of a log (4)
  --losses N    members that lose their promises (2)
  --mistake M   a planted mistake: votes-on, draws-again

  npm run model:readmission                           90,000 states, in half a minute
  npm run model:readmission -- --terms 3 --losses 1   320,000 states
`;

await runMain(HELP, async () => {
  const { values } = flags({
    terms: { type: 'string', default: '2' }, entries: { type: 'string', default: '4' }, losses: { type: 'string', default: '2' },
    mistake: { type: 'string' },
  });
  const { mistake } = values;
  if (mistake !== undefined && mistake !== 'votes-on' && mistake !== 'draws-again') {
    throw new UsageError(`--mistake is votes-on or draws-again, got ${mistake}`);
  }
  const began = performance.now();
  const { states, back, violation } = explore({
    terms: whole(values.terms, 'terms', 1), entries: whole(values.entries, 'entries', 1), losses: whole(values.losses, 'losses'),
    ...(mistake === undefined ? {} : { mistake }),
  });
  const seconds = Math.round((performance.now() - began) / 1000);
  const verdict = violation === undefined ? { violations: 0 } : { violations: 1, violation };
  process.stdout.write(`${JSON.stringify({ states, back, ...verdict, seconds })}\n`);
  return violation === undefined ? 0 : 1;
});
