import assert from 'node:assert/strict';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { Entry } from '../../raft/types.js';
import { encodeConfChange } from '../../raft/confchange-codec.js';
import { memberConfChange } from '../entry/member-entry.js';
import { LogError } from '../log/errors.js';
import type { MemberChange } from '../state/members.js';
import { canMissTheRest, NOT_KNOWN, readMetVoters, VotersKnown, writeMetVoters, type MetVoters } from './met-voters.js';

/** Lives of the voters 1, 2 and so on. */
const met = (...lives: readonly number[]): MetVoters => new Map(lives.map((life, at) => [at + 1, life]));

describe('one that joins while a voter is gone', () => {
  const begins = (self: number, answers: Readonly<Record<number, MetVoters>>): boolean =>
    canMissTheRest(self, new Map(Object.entries(answers).map(([id, voters]) => [Number(id), voters])));

  it('D1 begins as one of four or six with those that make a majority with it, and have met the rest', () => {
    assert.ok(begins(4, { 1: met(1, 1, 1, 0), 2: met(2, 1, 3, 0) }));
    assert.ok(begins(6, { 1: met(1, 1, 1, 1, 1, 0), 2: met(1, 1, 1, 1, 1, 0), 3: met(1, 1, 1, 1, 1, 0) }));
    assert.ok(begins(2, { 1: met(1, 0) }));
  });

  it('R1 waits where another one could begin without its memory, too', () => {
    assert.ok(!begins(4, { 1: met(1, 1, 1, 0), 2: met(2, 1, 0, 0) }), 'one of them has not met voter 3');
    assert.ok(!begins(4, { 1: met(1, 1, 1, 0) }), 'no majority');
    assert.ok(!begins(6, { 1: met(1, 1, 1, 1, 1, 0), 2: met(1, 1, 1, 1, 1, 0) }), 'half of them');
  });

  it('R1 waits with an odd number of voters: two majorities may share it alone', () => {
    assert.ok(!begins(3, { 1: met(1, 1, 0) }));
    assert.ok(!begins(5, { 1: met(1, 1, 1, 1, 0), 2: met(1, 1, 1, 1, 0), 3: met(1, 1, 1, 1, 0) }));
  });

  it('R1 waits where the voters are not known for certain, or not alike', () => {
    assert.ok(!begins(4, {}));
    assert.ok(!begins(4, { 1: NOT_KNOWN, 2: NOT_KNOWN }));
    assert.ok(!begins(4, { 1: met(1, 1, 1, 0), 2: NOT_KNOWN }));
    assert.ok(!begins(4, { 1: met(1, 1, 1, 0), 2: met(1, 1, 1, 0, 1) }));
    assert.ok(!begins(4, { 1: new Map([[1, 1], [2, 1], [4, 0], [5, 1]]), 2: met(1, 1, 1, 0) }));
    assert.ok(!begins(5, { 1: met(1, 1, 1, 1), 2: met(1, 1, 1, 1) }), 'it does not vote');
    assert.ok(!begins(4, { 1: met(1, 1, 1, 0), 7: met(1, 1, 1, 0) }), 'one of them does not vote');
  });
});

describe('what is told of the voters', () => {
  interface Log {
    first?: number;
    types: readonly ('normal' | MemberChange['kind'] | 'leave' | 'rotten')[];
    term?: number;
    failing?: boolean;
  }

  const CHANGES: Readonly<Record<string, MemberChange>> = {
    add: { kind: 'add', id: 9, peerUrls: ['http://m9:2380'], learner: true }, promote: { kind: 'promote', id: 9 }, remove: { kind: 'remove', id: 1 },
    publish: { kind: 'publish', id: 1, name: 'n1', clientUrls: [] }, update: { kind: 'update', id: 1, peerUrls: ['http://m1:2380'] },
  };

  function dataOf(what: string): Uint8Array {
    const change = CHANGES[what];
    return change === undefined ? new Uint8Array(what === 'rotten' ? 3 : 0) : encodeConfChange(memberConfChange({ token: 1, base: [], change }));
  }

  interface Knows {
    tell(): Promise<MetVoters>;
    reads(): number;
    /** Called between two reads. */
    turned(fn: () => void): void;
  }

  function knows(applied: number, log: Log, votersOutgoing: readonly number[] = []): Knows {
    let reads = 0;
    let turn = (): void => undefined;
    const first = log.first ?? 1;
    const entry = (index: number): Entry => {
      const what = log.types[index - first] ?? 'normal';
      return { term: log.term ?? 1, index, type: what === 'normal' ? 'normal' : 'confChange', data: dataOf(what) };
    };
    const lastIndex = (): number => first + log.types.length - 1;
    const known = new VotersKnown({
      env: { workers: { breathe: () => Promise.resolve(turn()) } },
      membership: { confState: { voters: [1, 2], votersOutgoing, learners: [], learnersNext: [], autoLeave: false } },
      progress: { applied: { value: applied } },
      log: {
        firstIndex: () => first, lastIndex, term: () => log.term ?? 1,
        entries: (lo) => {
          if (log.failing === true) throw new LogError('ENTRY_UNREADABLE', 'it rots');
          reads++;
          return [entry(lo), entry(lo + 1)].filter(({ index }) => index <= lastIndex());
        },
      },
    });
    return { tell: () => known.tell((id) => 10 * id), reads: () => reads, turned: (fn) => (turn = fn) };
  }

  const all = new Map([[1, 10], [2, 20]]);

  it('R1 all of them, unless a change of them is not applied, or cannot be ruled out', async () => {
    assert.deepEqual(await knows(4, { types: ['normal', 'remove', 'normal', 'normal'] }).tell(), all);
    assert.deepEqual(await knows(1, { types: ['normal', 'normal', 'normal', 'normal'] }).tell(), all);
    for (const what of ['remove', 'promote', 'leave', 'rotten'] as const) {
      assert.deepEqual(await knows(1, { types: ['normal', 'normal', 'normal', what] }).tell(), NOT_KNOWN, what);
    }
    assert.deepEqual(await knows(1, { types: ['normal', 'publish', 'update', 'add'] }).tell(), all, 'who votes is the same');
    assert.deepEqual(await knows(1, { types: ['normal', 'normal'], failing: true }).tell(), NOT_KNOWN);
    assert.deepEqual(await knows(1, { first: 3, types: ['normal', 'normal'] }).tell(), NOT_KNOWN);
    assert.deepEqual(await knows(2, { types: ['normal', 'normal'] }, [3]).tell(), NOT_KNOWN);
  });

  it('R1 a log is read once, and anew when it is another one', async () => {
    const log: Log = { types: ['normal', 'normal', 'normal', 'normal'] };
    const known = knows(0, log);
    assert.deepEqual(await known.tell(), all);
    assert.deepEqual(await known.tell(), all);
    assert.equal(known.reads(), 2);
    Object.assign(log, { types: ['normal', 'normal', 'remove', 'normal'], term: 2 });
    assert.deepEqual(await known.tell(), NOT_KNOWN);
  });

  it('R1 nothing, if the log is replaced while it is read', async () => {
    const log: Log = { types: ['normal', 'normal', 'normal', 'normal'] };
    const known = knows(0, log);
    known.turned(() => Object.assign(log, { types: ['remove'], term: 2 }));
    assert.deepEqual(await known.tell(), NOT_KNOWN);
  });

  it('is the same on the wire; an older program knows none of it', () => {
    const out = writeMetVoters(new ByteWriter(48), all).finish();
    assert.deepEqual(readMetVoters(new ByteReader(out, 'voters')), all);
    assert.deepEqual(readMetVoters(new ByteReader(new Uint8Array(0), 'voters')), NOT_KNOWN);
    assert.throws(() => readMetVoters(new ByteReader(out.subarray(0, 9), 'voters')), { name: 'CodecError' });
  });
});
