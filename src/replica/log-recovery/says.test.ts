import assert from 'node:assert/strict';
import { decide, type Heard } from './decide.js';
import { decodeEntriesAnswer, decodeEntriesRequest, encodeEntriesAnswer, encodeEntriesRequest, type EntriesAnswer } from './entries-call.js';
import { raises, says, type Witness } from './says.js';
import { Voters } from './voters.js';

const voter: Witness = { term: 4, votes: true, leads: 0 };
const known = { term: 2, proven: false, joined: false };
const unknown = { term: 0, proven: false, joined: true };
const three = new Voters({ confState: { voters: [1, 2, 3], votersOutgoing: [] } });

function heard(...all: Heard['says'][]): Heard[] {
  return all.map((one, i) => ({ from: i + 2, says: one, leads: one === 'none' || one === 'follow' ? 7 : 0 }));
}

describe('what a member says of an entry that another one lost', () => {
  it('R6 a voter lacks it only once its term is above all in which the other may have acknowledged it', () => {
    for (const place of [{ at: 'nothing' }, { at: 'entry', term: 3 }] as const) {
      assert.equal(says(place, known, 3, voter), 'lacks');
      assert.equal(says(place, known, 4, voter), 'unsure');
      assert.equal(says(place, known, 3, { ...voter, votes: false }), 'unsure');
    }
  });

  it('R6 what it lost itself it never lacks', () => {
    assert.equal(says({ at: 'hole' }, known, 1, { ...voter, leads: 4 }), 'faulty');
  });

  it('R6 a leader tells for certain, unless its term is below that of the one that asks', () => {
    assert.equal(says({ at: 'nothing' }, known, 4, { ...voter, leads: 4 }), 'none');
    assert.equal(says({ at: 'nothing' }, known, 5, { ...voter, leads: 4 }), 'unsure');
    assert.equal(says({ at: 'entry', term: 3 }, unknown, 4, { ...voter, leads: 4 }), 'follow');
    assert.equal(says({ at: 'entry', term: 3 }, { ...unknown, joined: false }, 4, { ...voter, leads: 4 }), 'none');
    const either = says({ at: 'entry', term: 3 }, { ...unknown, joined: undefined }, 4, { ...voter, leads: 4 });
    assert.equal(either, 'unsure', 'the logs may be the same up to here');
  });

  it('R3 an entry of unknown term is the one that was lost if a later one, whose term is known, is in both logs', () => {
    assert.equal(says({ at: 'entry', term: 3 }, { ...unknown, proven: true }, 4, voter), 'have');
    assert.equal(says({ at: 'entry', term: 3 }, unknown, 4, voter), 'unsure');
  });

  it('R6 a term is raised for another member only where no leader can tell', () => {
    assert.ok(raises(4, { term: 3, hasLeader: true }) && raises(4, { term: 4, hasLeader: false }));
    assert.ok(!raises(4, { term: 4, hasLeader: true }) && !raises(4, { term: 5, hasLeader: false }));
  });
});

describe('what becomes of a lost entry', () => {
  it('R6 it is cut on a majority\'s word, and a majority of both halves if there are two', () => {
    assert.deepEqual(decide(heard('lacks', 'lacks'), three, 4, true), { do: 'cut', term: 5 });
    assert.equal(decide(heard('lacks', 'faulty'), three, 4, true).do, 'wait');
    const joint = new Voters({ confState: { voters: [1, 2, 3], votersOutgoing: [1, 4, 5] } });
    assert.equal(decide(heard('lacks', 'lacks'), joint, 4, true).do, 'wait');
    assert.equal(decide(heard('lacks', 'lacks', 'lacks', 'lacks'), joint, 4, true).do, 'cut');
  });

  it('R6 a copy is taken whatever the others say', () => {
    assert.deepEqual(decide(heard('lacks', 'lacks', 'have'), three, 4, true), { do: 'take', from: 4 });
    assert.deepEqual(decide(heard('none', 'have'), three, 4, true), { do: 'take', from: 3 });
  });

  it('D1 a log begins later only when nobody who can be asked has the entry', () => {
    assert.equal(decide(heard('compacted'), three, 4, false).do, 'wait');
    assert.equal(decide(heard('compacted'), three, 4, true).do, 'begin-later');
    assert.equal(decide(heard('compacted', 'have'), three, 4, true).do, 'take');
  });
});

describe('the call for lost entries', () => {
  it('reads back', () => {
    const request = { bound: 7, insists: true, beforeTerm: 3, wanted: [{ index: 5, term: 4 }, { index: 9, term: 0 }] };
    assert.deepEqual(decodeEntriesRequest(encodeEntriesRequest(request)), request);
    const answer: EntriesAnswer = {
      leads: 3, base: { index: 4, term: 2 },
      said: [{ says: 'have', entry: { index: 5, term: 4, type: 'normal', data: Uint8Array.of(1, 2) } }, { says: 'faulty' }, { says: 'lacks' }],
    };
    assert.deepEqual(decodeEntriesAnswer(encodeEntriesAnswer(answer)), answer);
    assert.throws(() => decodeEntriesRequest(encodeEntriesRequest(request).subarray(0, 20)), /does not fit/);
  });
});
