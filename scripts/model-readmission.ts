/**
 * `npm run model:readmission`: every state that three members can come to while some of them lose
 * what they have promised and are re-admitted, by the rules that ship. Exits 1 if a member can vote
 * twice in a term, a committed entry be lost, or one intent lead to two new ids. By default 90,000
 * states, in half a minute.
 *
 *   --terms N     elections reach term N (2); 3 with --losses 1: 320,000 states
 *   --entries N   of a log (4)
 *   --losses N    members that lose their promises (2)
 *   --mistake M   a planted mistake: votes-on, draws-again
 */

import process from 'node:process';
import { parseArgs } from 'node:util';
import { explore } from '../src/replica/readmission/testing/readmission-model.js';

const { values } = parseArgs({
  options: {
    terms: { type: 'string', default: '2' }, entries: { type: 'string', default: '4' }, losses: { type: 'string', default: '2' },
    mistake: { type: 'string' },
  },
});
const { mistake } = values;
if (mistake !== undefined && mistake !== 'votes-on' && mistake !== 'draws-again') throw new Error('--mistake is votes-on or draws-again');
const began = performance.now();
const { states, back, violation } = explore({
  terms: Number(values.terms), entries: Number(values.entries), losses: Number(values.losses),
  ...(mistake === undefined ? {} : { mistake }),
});
const seconds = Math.round((performance.now() - began) / 1000);
const verdict = violation === undefined ? { violations: 0 } : { violations: 1, violation };
process.stdout.write(`${JSON.stringify({ states, back, ...verdict, seconds })}\n`);
process.exitCode = violation === undefined ? 0 : 1;
