import assert from 'node:assert/strict';
import { explore } from './testing/explore.js';
import { Violation, type ModelOptions } from './testing/model-options.js';
import { RecoveryModel } from './testing/recovery-model.js';
import type { State } from './testing/state.js';

const SMALL: ModelOptions = { nodes: 3, entries: 2, terms: 2, crashes: 1, unknownTerms: true };

function all(options: ModelOptions, limit?: number): ReturnType<typeof explore> extends Generator<unknown, infer R> ? R : never {
  const run = explore(new RecoveryModel(options), limit);
  for (;;) {
    const step = run.next();
    if (step.done) return step.value;
  }
}

/**
 * Five nodes. Node 0 wrote an entry in term 1 that only node 1 took, which leads term 2 and has
 * node 0 acknowledge it there. Then node 0 loses it, the other three say that they lack it, and
 * after that node 1 has one more of them write it, and so a majority.
 */
function cutBetween(boundOfEntry: boolean): void {
  const model = new RecoveryModel({ nodes: 5, entries: 3, terms: 9, crashes: 1, unknownTerms: false, boundOfEntry });
  const must = (s: State | undefined): State => {
    assert.ok(s);
    return s;
  };
  let s = must(model.elect(model.initial(), 0, [1, 2]));
  s = model.append(s, 0);
  s = model.replicate(s, 0, 1, 1);
  s = must(model.elect(s, 1, [0, 2, 3, 4]));
  s = model.append(s, 1);
  s = model.replicate(s, 1, 0, 2);
  s = model.crash(s, 0, 1, 0);
  for (const j of [2, 3, 4, 2, 3, 4]) if (model.isBad(s, 0, 0)) s = model.ask(s, 0, j, 0);
  assert.equal(model.entry(s, 0, 0), 0, 'it is cut');
  // Refused by one whose term is higher.
  if (model.term(s, 2) <= model.term(s, 1)) s = model.replicate(s, 1, 2, 2);
  must(model.elect(s, 3, [0, 4]));
}

describe('the model of log recovery', () => {
  it('R6 D1 loses nothing, takes nothing wrong and waits for nothing that somebody has', function () {
    this.timeout(60_000);
    const { states, violation } = all(SMALL);
    assert.equal(violation?.message, undefined);
    assert.ok(states > 10_000, `${states} states`);
    const lost = all({ ...SMALL, entries: 1, crashes: 2 });
    assert.equal(lost.violation?.message, undefined);
    assert.ok(lost.waiting > 0, 'some wait for what is lost everywhere');
  });

  it('counts the states that there are without names as often as there are with them', () => {
    const options = { ...SMALL, entries: 1, crashes: 2 };
    const model = new RecoveryModel(options);
    const states = [model.initial()];
    const seen = new Set(states.map(String));
    for (const state of states) {
      for (const after of model.next(state)) {
        if (seen.has(String(after))) continue;
        seen.add(String(after));
        states.push(after);
      }
    }
    const explored = all(options);
    assert.equal(explored.states, states.length);
    assert.ok(explored.unnamed < states.length / 5);
  });

  it('R6 a minority\'s "do not have" loses an acknowledged entry', function () {
    this.timeout(60_000);
    assert.match(all({ ...SMALL, quorumLowered: true }).violation?.message ?? '', /without the committed entry/);
  });

  it('R6 a log whose last entries are gone with their proof, and that is taken for whole, loses an acknowledged entry', function () {
    this.timeout(60_000);
    assert.match(all({ ...SMALL, openTakenForEnd: true }).violation?.message ?? '', /without the committed entry/);
  });

  it('R6 a term above that of the entry alone is not enough for "do not have"', () => {
    cutBetween(false);
    assert.throws(() => cutBetween(true), (error) => error instanceof Violation && /without the committed entry/.test(error.message));
  });
});
