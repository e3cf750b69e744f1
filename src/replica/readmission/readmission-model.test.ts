import assert from 'node:assert/strict';
import { explore } from './testing/readmission-model.js';

const SMALL = { terms: 2, entries: 3, losses: 1 };

describe('the model of re-admission', function () {
  this.timeout(60_000);

  it('R1 R2 R3 R5 D1 no order of losses, questions, changes and elections breaks a promise', () => {
    const { states, back, violation } = explore(SMALL);
    assert.equal(violation, undefined);
    assert.ok(states > 10_000 && back > 100, `${states} states, ${back} of them with a member that is back`);
  });

  it('R1 a member that goes on under its old id, without its promises, is found out', () => {
    assert.match(explore({ ...SMALL, mistake: 'votes-on' }).violation ?? '', /votes twice|without what was committed/);
  });

  it('R5 a question that brings another id each time is found out', () => {
    assert.match(explore({ ...SMALL, mistake: 'draws-again' }).violation ?? '', /two new ids/);
  });
});
