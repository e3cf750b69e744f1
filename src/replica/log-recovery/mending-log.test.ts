import assert from 'node:assert/strict';
import type { DamagedLog } from '../log/damaged-log.js';
import { decodeEntriesAnswer, encodeEntriesRequest } from './entries-call.js';
import { LogServer } from './log-server.js';
import { MendingLog } from './mending-log.js';

const TERMS = [0, 1, 1, 2, 2, 3, 4, 4];

/** Entries 1 to 7; the terms of its holes are not known. */
function damaged(...holes: readonly number[]): MendingLog {
  const has = (index: number): boolean => !holes.includes(index);
  const log = {
    base: { index: 0, term: 0 }, beginsAnew: false, lastIndex: 7, endsOpen: false,
    term: (index: number) => (has(index) ? (TERMS[index] as number) : 0), isHole: (index: number) => !has(index),
  };
  return new MendingLog(log as unknown as DamagedLog);
}

/** Of a member that has all of it, and leads nobody. */
function whole(): LogServer {
  return new LogServer({
    base: { index: 0, term: 0 }, term: (index) => TERMS[index] ?? 0,
    place: (index) => (index > 7 ? { at: 'nothing' } : { at: 'entry', term: TERMS[index] as number }),
    read: (index) => Promise.resolve({ index, term: TERMS[index] as number, type: 'normal', data: new Uint8Array() }),
    witness: () => ({ term: 4, votes: true, leads: 0 }), raise: () => Promise.resolve(),
  });
}

describe('a log that is mended', () => {
  it('asks for what is missing, and names the entry behind a hole of unknown term', () => {
    assert.deepEqual(damaged(3, 5).wanted(), [{ index: 3, term: 0 }, { index: 4, term: 2 }, { index: 5, term: 0 }, { index: 6, term: 4 }]);
    assert.deepEqual(damaged(1).wanted(), [{ index: 1, term: 1 }], 'no term is below the first');
    assert.deepEqual(damaged().wanted(), []);
  });

  it('R6 an entry of unknown term is given by who has the entry behind it, without a leader', async () => {
    const wanted = damaged(3, 5).wanted();
    const answer = await whole().answer(encodeEntriesRequest({ bound: 9, insists: false, beforeTerm: 1, wanted }));
    const { said } = decodeEntriesAnswer(answer);
    assert.equal(said[0]?.says, 'have');
    assert.equal(said[2]?.says, 'have');
  });

  it('R6 begins later, and keeps what follows an entry whose term its neighbours tell', () => {
    const known = damaged(1);
    known.beginAt({ index: 1, term: 1 }, 4);
    assert.deepEqual([known.lastIndex, known.place(8).at, known.wanted()], [7, 'nothing', []]);
    const other = damaged(1);
    other.beginAt({ index: 1, term: 2 }, 4);
    assert.deepEqual([other.lastIndex, other.place(2).at], [1, 'nothing'], 'what follows another entry was not committed');
    assert.deepEqual([known.raiseTo, other.raiseTo], [1, 5], 'R2 whoever was told of what is cut asks for it no more');
    const open = damaged(3);
    open.beginAt({ index: 3, term: 1 }, 4);
    assert.deepEqual([open.lastIndex, open.place(4).at], [3, 'hole'], 'which one was here is not known');
  });
});
