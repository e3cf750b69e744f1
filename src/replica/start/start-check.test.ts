import assert from 'node:assert/strict';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { Env, Timer } from '../../base/env.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import { silent } from '../../base/testing/silent.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { HardStateRecord } from '../hard-state/slots.js';
import { Life } from '../state/life.js';
import { DESCRIBE_METHOD, encodeDescription } from '../state/description.js';
import { changeMembers, leaveJoint, staticMembers, type Members } from '../state/members.js';
import { Membership } from '../state/membership.js';
import { writeMetVoters } from './met-voters.js';
import { PromisesHeard } from './promises-heard.js';
import { checkStart, PeerMemory, type PeerMemoryParts } from './start-check.js';

describe('what the others say of a member that starts', () => {
  /** Of five members this is number 1; the others answer in turn, `undefined` being silence. */
  async function starts(
    isNew: boolean, incarnation: number, answers: readonly (Told | undefined)[],
    joins = false, learner?: number, gone: readonly number[] = [],
  ): Promise<'begins' | 'waits' | string> {
    let waits = 0;
    const life = new Life();
    life.to({ s: 'joining' });
    const members = [1, 2, 3, 4, 5].map((id) => ({ id, name: `n${id}`, peerUrls: [`http://m${id}:2380`] }));
    const setTimer = (_ms: number, fn: () => void): Timer => {
      if (++waits > 3) life.stop();
      setImmediate(fn);
      return { cancel: () => undefined };
    };
    const call = (peer: number, method: string): Promise<Uint8Array> => {
      const answer = answers[peer - 2];
      if (method === DESCRIBE_METHOD && answer !== undefined && gone.length > 0) return Promise.resolve(describeWithout(gone));
      return answer === undefined ? Promise.reject(new NetworkError('UNREACHABLE', 'nobody listens')) : Promise.resolve(remembers(answer));
    };
    const env = { clock: { setTimer }, network: { call, describe: () => Promise.reject(new NetworkError('UNREACHABLE', 'nobody listens')), guests: () => [], setPeers: () => undefined }, events: silent } as unknown as Env;
    const told = members.map((member) => ({ ...member, learner: member.id === learner }));
    const membership = joins ? new Membership(1, members.slice(1), told) : new Membership(1, members);
    const clusterId = 1n;
    const kept = { term: isNew ? 0 : 5, vote: 0, lastIndex: isNew ? 0 : 9 };
    try {
      await checkStart({ env, life, membership, clusterId, incarnation, isNew, kept });
      return life.ended ? 'waits' : 'begins';
    } catch (error) {
      return codeOf(error) ?? String(error);
    }
  }

  const asNew: Told = { state: 0 };
  const settled: Told = { state: 1 };
  const unsure: Told = { state: 2 };

  it('R1 a new member begins with so many new ones as make a majority with it, or with one that knows all, and not before', async () => {
    assert.equal(await starts(true, 1, [asNew, asNew, undefined, undefined]), 'begins');
    assert.equal(await starts(true, 1, [asNew, undefined, undefined, undefined]), 'waits');
    assert.equal(await starts(true, 1, [asNew, asNew, asNew, unsure]), 'waits');
    assert.equal(await starts(true, 1, [unsure, unsure, unsure, unsure]), 'waits');
    assert.equal(await starts(true, 1, [settled, unsure, undefined, undefined]), 'begins');
    assert.equal(await starts(true, 1, [settled, { ...unsure, incarnation: 1 }, undefined, undefined]), 'EMPTIED');
    assert.equal(await starts(true, 1, [settled, { ...unsure, term: 3 }, undefined, undefined]), 'EMPTIED');
  });

  it('R1 D1 who is blank counts as little for a new member as who does not answer, and does not keep the others waiting', async () => {
    const blank: Told = { state: 3 };
    assert.equal(await starts(true, 1, [asNew, asNew, blank, blank]), 'begins');
    assert.equal(await starts(true, 1, [asNew, blank, blank, blank]), 'waits');
    assert.equal(await starts(true, 1, [asNew, asNew, blank, unsure]), 'waits');
    assert.equal(await starts(true, 1, [asNew, asNew, { ...blank, term: 1 }, undefined]), 'EMPTIED');
  });

  it('R1 one that joins begins with one that knows all, or if all others answer and none has met it', async () => {
    const joins = (...answers: (Told | undefined)[]): Promise<string> => starts(true, 1, answers, true);
    assert.equal(await joins(settled, undefined, undefined, undefined), 'begins');
    assert.equal(await joins(unsure, unsure, unsure, unsure), 'begins');
    assert.equal(await joins(unsure, unsure, unsure, undefined), 'waits');
    assert.equal(await joins(unsure, unsure, unsure, asNew), 'waits');
    assert.equal(await joins(unsure, unsure, unsure, { ...unsure, incarnation: 1 }), 'EMPTIED');
    assert.equal(await joins(unsure, unsure, unsure, { ...unsure, term: 3 }), 'EMPTIED');
  });

  it('R1 one that joins does not wait for one that does not vote, which may itself be waiting for it', async () => {
    const joins = (...answers: (Told | undefined)[]): Promise<string> => starts(true, 1, answers, true, 5);
    assert.equal(await joins(unsure, unsure, unsure, asNew), 'begins');
    assert.equal(await joins(unsure, unsure, unsure, undefined), 'begins');
    assert.equal(await joins(unsure, unsure, asNew, unsure), 'waits');
    assert.equal(await joins(unsure, unsure, unsure, { ...unsure, incarnation: 1 }), 'EMPTIED');
  });

  it('R1 D1 one that joins as one of four voters begins without one that the two others have met', async () => {
    // The fifth member does not vote; the fourth one does not answer.
    const joins = (...answers: (Told | undefined)[]): Promise<string> => starts(true, 1, [...answers, undefined, undefined], true, 5);
    const met = (four: number): Told => ({ ...unsure, met: [0, 1, 1, four] });
    assert.equal(await joins(met(1), met(1)), 'begins');
    assert.equal(await joins(met(1), met(0)), 'waits');
    assert.equal(await joins(met(1), unsure), 'waits');
    assert.equal(await joins(met(1), { ...met(1), state: 0 }), 'waits');
    assert.equal(await joins(met(1), { ...met(1), incarnation: 1 }), 'EMPTIED');
  });

  it('R1 one that joins does not wait for who was removed since it was told of them, once somebody says so', async () => {
    const joins = (gone: readonly number[], ...answers: (Told | undefined)[]): Promise<string> =>
      starts(true, 1, answers, true, undefined, gone);
    assert.equal(await joins([3, 4, 5], unsure, undefined, undefined, undefined), 'begins');
    assert.equal(await joins([3, 4], unsure, undefined, undefined, undefined), 'waits');
    assert.equal(await joins([3, 4, 5], { ...unsure, incarnation: 1 }, undefined, undefined, undefined), 'EMPTIED');
  });

  it('R5 a member with a memory begins at once, unless somebody has met this start or a later one, or was promised more', async () => {
    const met = (incarnation: number): Told => ({ ...unsure, incarnation });
    assert.equal(await starts(false, 4, [undefined, undefined, undefined, undefined]), 'begins');
    assert.equal(await starts(false, 4, [met(3), met(1), settled, undefined]), 'begins');
    assert.equal(await starts(false, 4, [met(3), met(4), undefined, undefined]), 'ROLLED_BACK');
    assert.equal(await starts(false, 4, [undefined, undefined, undefined, met(5)]), 'ROLLED_BACK');
    assert.equal(await starts(false, 4, [{ ...met(3), term: 5, acknowledged: 9 }, settled, undefined, undefined]), 'begins');
    assert.equal(await starts(false, 4, [{ ...met(3), term: 5, acknowledged: 10 }, settled, undefined, undefined]), 'ROLLED_BACK');
    assert.equal(await starts(false, 4, [{ ...met(3), term: 6 }, settled, undefined, undefined]), 'ROLLED_BACK');
  });
});

describe('a member that starts while others are other members now', () => {
  const urlOf = (id: number): string => `http://m${id}:2380`;
  const origin = [1, 2, 3].map((id) => ({ id, name: `n${id}`, peerUrls: [urlOf(id)] }));
  // Members 2 and 3 have the ids 20 and 30 by now.
  let members = staticMembers(origin);
  for (const [at, of] of [2, 3].entries()) {
    for (const change of [{ kind: 'readmit', id: 10 * of, of, dropped: [] }, { kind: 'replace', id: 10 * of, removed: of }] as const) {
      members = changeMembers(members, 3 * at + (change.kind === 'readmit' ? 1 : 2), change, origin) as Members;
    }
    members = leaveJoint(members);
  }

  /** `answers`: of members by id; at the place of any other is another one. */
  async function starts(isNew: boolean, answers: Readonly<Record<number, Told>>, guests: readonly number[] = []): Promise<string> {
    let waits = 0;
    const life = new Life();
    life.to({ s: 'joining' });
    const setTimer = (_ms: number, fn: () => void): Timer => {
      if (++waits > 3) life.stop();
      setImmediate(fn);
      return { cancel: () => undefined };
    };
    const call = (peer: number, method: string): Promise<Uint8Array> => {
      const answer = answers[peer];
      const isGuest = guests.includes(peer);
      if (answer?.state === REMOVED_STATE && method !== DESCRIBE_METHOD) return Promise.reject(new NetworkError('REMOVED', 'it was removed'));
      if (isGuest && method === DESCRIBE_METHOD) return Promise.resolve(encodeDescription({ clusterId: 1n, members }));
      if (answer === undefined || method === DESCRIBE_METHOD) return Promise.reject(new NetworkError('OTHER_MEMBER', `this is not member ${peer}`));
      return Promise.resolve(remembers(answer));
    };
    const found = encodeDescription({ clusterId: 1n, members });
    const describeAt = (): Promise<Uint8Array> =>
      guests.length > 0 ? Promise.reject(new NetworkError('UNREACHABLE', 'nobody')) : Promise.resolve(found);
    const network = { call, describe: describeAt, guests: () => guests, setPeers: () => undefined };
    const env = { clock: { setTimer }, network, events: silent } as unknown as Env;
    const kept = { term: isNew ? 0 : 5, vote: 0, lastIndex: isNew ? 0 : 9 };
    try {
      await checkStart({ env, life, membership: new Membership(1, origin), clusterId: 1n, incarnation: isNew ? 1 : 4, isNew, kept });
      return life.ended ? 'waits' : 'begins';
    } catch (error) {
      return codeOf(error) ?? String(error);
    }
  }

  it('R1 D1 an emptied one is told that it was met before', async () => {
    assert.equal(await starts(true, { 20: { state: 2, incarnation: 7 }, 30: { state: 2 } }), 'EMPTIED');
  });

  it('R1 two emptied ones do not found the cluster again beside one that is in it under another id', async () => {
    assert.equal(await starts(true, { 2: { state: 0 }, 30: { state: 2 } }), 'waits');
  });

  it('R1 two emptied ones do not found the cluster beside one of another cluster, which this may have become', async () => {
    assert.equal(await starts(true, { 2: { state: 0 } }, [99]), 'waits');
    assert.equal(await starts(true, { 2: { state: 0 }, 3: { state: 0 } }, [99]), 'begins');
  });

  it('R1 R5 one with an older copy of its files is told so', async () => {
    assert.equal(await starts(false, { 20: { state: 2, incarnation: 4 } }), 'ROLLED_BACK');
    assert.equal(await starts(false, { 20: { state: 2, incarnation: 3 }, 30: { state: 2, incarnation: 3 } }), 'begins');
  });

  it('R1 R5 who only talks to it can keep it waiting: he neither ends it, nor lets a new one take part', async () => {
    for (const lie of [{ state: 2, incarnation: 9 }, { state: 2, term: 99 }, { state: 2, term: 5, acknowledged: 1_000 }]) {
      assert.equal(await starts(false, { 20: lie }, [20]), 'waits');
    }
    assert.equal(await starts(false, { 20: { state: REMOVED_STATE } }, [20]), 'begins');
    const lies = [
      { state: 1 }, { state: 0 }, { state: 2 }, { state: 2, incarnation: 9 }, { state: 2, term: 99 }, { state: REMOVED_STATE },
    ];
    for (const lie of lies) {
      assert.equal(await starts(true, { 20: lie, 30: lie }, [20, 30]), 'waits');
    }
  });
});

/** Not on the wire. */
const REMOVED_STATE = -1;

describe('what a member says of another that starts', () => {
  it('R1 D1 one that voted for itself and has no entry is blank; with a vote for another, an entry or a change of the members it is not', async () => {
    const members = staticMembers([1, 2, 3].map((id) => ({ id, name: '', peerUrls: [] })));
    const life = new Life();
    life.to({ s: 'joining' });
    const said = async (vote: number, lastIndex: number, newest: Members): Promise<number | undefined> => {
      const peerMemory = new PeerMemory({
        env: { clock: new ManualClock() } as unknown as Env, life, wasNew: false, leadership: { term: 1 },
        state: { kv: { incarnationOf: () => 0 } } as unknown as ReplicatedState,
        heard: new PromisesHeard(),
        reads: { confirm: () => new Promise<void>(() => undefined) },
        membership: { self: 2, newest, confState: newest.confState }, hardState: { current: { vote } as HardStateRecord },
        log: { ...applied(1).log, lastIndex: () => lastIndex }, progress: applied(1).progress,
      });
      return (await peerMemory.answer(1, Uint8Array.of(0)))[0];
    };
    assert.equal(await said(2, 0, members), 3);
    assert.equal(await said(3, 0, members), 2);
    assert.equal(await said(2, 1, members), 2);
    assert.equal(await said(2, 0, { ...members, isStatic: false }), 2);
  });

  it('R1 is said at once to one with a memory though nobody leads; a new one waits for a majority', async () => {
    const clock = new ManualClock();
    const life = new Life();
    life.to({ s: 'joining' });
    life.to({ s: 'serving' });
    const peerMemory = new PeerMemory({
      env: { clock } as unknown as Env,
      life,
      wasNew: false,
      leadership: { term: 5 },
      state: { kv: { incarnationOf: () => 3 } } as unknown as ReplicatedState,
      heard: new PromisesHeard(),
      reads: { confirm: () => new Promise<void>(() => undefined) },
      membership: new Membership(1, [1, 2].map((id) => ({ id, name: '', peerUrls: [] }))),
      hardState: { current: undefined },
      ...applied(9),
    });
    const answers: Uint8Array[] = [];
    const toOld = peerMemory.answer(2, Uint8Array.of(0)).then((answer) => answers.push(answer));
    const toNew = peerMemory.answer(2, Uint8Array.of(1)).then((answer) => answers.push(answer));
    await toOld;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(answers.length, 1, 'only the one with a memory has its answer');
    clock.advance(1_000);
    await toNew;
    for (const answer of answers) {
      const reader = new ByteReader(answer, 'what a member remembers');
      assert.deepEqual([reader.u8(), reader.u53()], [2, 3], 'unsure, and met in its third life');
    }
    // To the new one also who votes, and which lives of them were met.
    const toldOf = (answer: Uint8Array | undefined): readonly number[] => [...(answer?.subarray(9 + 16 + 1 + 8) ?? [])];
    assert.deepEqual(answers.map((answer) => toldOf(answer)[0]), [0, 2]);
  });
});

/** A log up to here, all of it applied. */
function applied(index: number): Pick<PeerMemoryParts, 'log' | 'progress'> {
  const log = { firstIndex: () => 1, lastIndex: () => index, term: () => 1, entries: () => [] };
  return { log, progress: { applied: { value: index } } };
}

/** What is said of the members 1 to 5 by one that knows that these are removed. */
function describeWithout(gone: readonly number[]): Uint8Array {
  const origin = [1, 2, 3, 4, 5].map((id) => ({ id, name: `n${id}`, peerUrls: [`http://m${id}:2380`] }));
  let members = staticMembers(origin);
  for (const [at, id] of gone.entries()) {
    const changed = changeMembers(members, at + 1, { kind: 'remove', id }, origin);
    assert.ok(typeof changed !== 'string');
    members = changed;
  }
  return encodeDescription({ clusterId: 1n, members });
}

interface Told {
  /** 0 new, 1 settled, 2 unsure, 3 blank. */
  readonly state: number;
  readonly incarnation?: number;
  readonly term?: number;
  readonly acknowledged?: number;
  /** Lives of the voters 1, 2 and so on; missing: an older program. */
  readonly met?: readonly number[];
}

/** An answer on the wire; what is missing is 0. */
function remembers(answer: Told): Uint8Array {
  const { state, incarnation = 0, term = 0, acknowledged = 0, met } = answer;
  const out = new ByteWriter(40).u8(state).u53(incarnation).u53(term).u53(acknowledged).u8(0);
  if (met === undefined) return out.finish();
  return writeMetVoters(out.u53(0), new Map(met.map((life, at) => [at + 1, life]))).finish();
}
