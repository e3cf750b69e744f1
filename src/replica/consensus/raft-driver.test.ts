import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { EMPTY, utf8 } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env } from '../../base/env.js';
import { Deferred } from '../../base/deferred.js';
import { silent } from '../../base/testing/silent.js';
import { testClock, testRandom, testWorkers } from '../../base/testing/test-env.js';
import { newMessage } from '../../raft/message.js';
import { decodeMessages } from '../../raft/message-codec.js';
import type { Entry, Message } from '../../raft/types.js';
import { encodeKv } from '../entry/entry.js';
import { put } from '../../api/testing/requests.js';
import { HardStateStore } from '../hard-state/hard-state.js';
import { DurableLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';
import { Leadership } from '../state/leadership.js';
import { Life } from '../state/life.js';
import { Membership } from '../state/membership.js';
import type { Progress } from '../state/progress.js';
import { Reserve } from '../state/reserve.js';
import { Room } from '../state/room.js';
import { EntryMender } from './entry-mender.js';
import { RaftDriver } from './raft-driver.js';
import type { RaftOutput } from './raft-hooks.js';

const LOG = { segmentBytes: 64 * 1024 };

const entry = (index: number, term: number): Entry => ({ index, term, type: 'normal', data: utf8(`${index}@${term}`) });
const entries = (from: number, to: number, term: number): Entry[] => Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term));

function append(from: number, term: number, after: Entry, what: readonly Entry[], commit: number): Message {
  return Object.assign(newMessage('MsgApp', from, 1, term), { index: after.index, logTerm: after.term, entries: what, commit });
}

/** One of five, on a disk whose hard state and log can be held up. */
class Member {
  readonly disk = new MemoryDisk();
  readonly env: Env;
  readonly life = new Life();
  readonly failures: unknown[] = [];
  /** While it is there, hard state waits for it. */
  gate: Deferred<void> | undefined;
  /** While it is there, the log waits for it. */
  logGate: Deferred<void> | undefined;
  readonly sent: Message[] = [];
  readonly committed: number[] = [];
  /** Writes of the log that begin; those beyond `maxWrites` never end: the power goes first. */
  writes = 0;
  maxWrites = Infinity;
  /** The log has no room for what comes next. */
  full = false;
  log!: DurableLog;
  driver!: RaftDriver;

  constructor() {
    const done = (): Promise<void> => Promise.resolve();
    const call = (): Promise<Uint8Array> => Promise.resolve(EMPTY);
    const send = this.#sent.bind(this);
    const calls = { call, ask: call, describe: call };
    const network = { maxFrameBytes: 1e9, start: done, send, ...calls, guests: () => [], setPeers: () => undefined, stop: done };
    this.env = { clock: testClock, random: testRandom, disk: this.disk, network, workers: testWorkers, events: silent };
    this.life.to({ s: 'joining' });
    this.life.subscribe((now) => {
      if (now.s === 'failed') this.failures.push(now.error);
    });
  }

  #sent(_to: number, frame: Uint8Array): void {
    this.sent.push(...decodeMessages(frame, 1));
  }

  async start(heartbeatMs = 10_000): Promise<this> {
    const hardState = await HardStateStore.open(this.disk);
    await hardState.create({
      term: 1, vote: 0, incarnation: 1, manifestGeneration: 0, manifestDigest: '0'.repeat(32), clusterId: 7n, memberId: 1,
    });
    this.log = (await DurableLog.open(this.env, { ...LOG, flushedIndex: 0, knownCommit: 0 })).log;
    const update = hardState.update.bind(hardState);
    hardState.update = async (patch) => {
      await this.gate?.promise;
      await update(patch);
    };
    const write = this.log.append.bind(this.log);
    this.log.append = async (batch, commit) => {
      if (this.full) throw new LogError('NO_SPACE', 'there is no room (injected)');
      if (++this.writes > this.maxWrites) return new Promise(() => undefined);
      await this.logGate?.promise;
      return write(batch, commit);
    };
    const membership = new Membership(1, [1, 2, 3, 4, 5].map((id) => ({ id, name: `n${id}`, peerUrls: [] })));
    const leadership = new Leadership(1, this.life);
    const progress = { flushed: 0 } as unknown as Progress;
    const room = new Room({ env: this.env, life: this.life, reserve: new Reserve(this.disk, 4096) });
    const mender = new EntryMender({ env: this.env, life: this.life, membership, log: this.log });
    this.driver = new RaftDriver(
      { env: this.env, life: this.life, room, membership, leadership, progress, log: this.log, hardState, mender },
      { take: this.#take.bind(this), snapshot: () => assert.fail('nothing is sent'), installSnapshot: () => Promise.resolve() },
      { applied: 0, commit: 0 }, { heartbeatMs, electionMs: 10 * heartbeatMs },
    );
    const makeRoom = this.log.makeRoom.bind(this.log);
    this.log.makeRoom = () => (this.full ? Promise.reject(new LogError('NO_SPACE', 'there is none yet')) : makeRoom());
    this.life.to({ s: 'serving' });
    this.driver.start();
    return this;
  }

  #take(output: RaftOutput): void {
    if (output.kind === 'committed') this.committed.push(...output.entries.map(({ index }) => index));
  }

  /** By 2 and 3, which say nothing of their logs yet. */
  async elected(): Promise<void> {
    const last = this.driver.node.lastIndex;
    this.driver.campaign();
    await this.until(() => this.sent.some(({ type }) => type === 'MsgPreVote'));
    for (const from of [2, 3]) this.driver.step(newMessage('MsgPreVoteResp', from, 1, 2));
    await this.until(() => this.sent.some(({ type }) => type === 'MsgVote'));
    for (const from of [2, 3]) this.driver.step(newMessage('MsgVoteResp', from, 1, 2));
    await this.until(() => this.log.lastIndex() === last + 1);
  }

  async lead(): Promise<void> {
    await this.elected();
    for (const from of [2, 3]) this.acknowledge(from, 1);
    await this.until(() => this.committed.includes(1));
  }

  acknowledge(from: number, index: number): void {
    this.driver.step(Object.assign(newMessage('MsgAppResp', from, 1, 2), { index }));
  }

  async until(holds: () => boolean): Promise<void> {
    for (let turns = 0; !holds(); turns++) {
      assert.ok(turns < 1_000, `the log ends with ${this.log.lastIndex()}`);
      assert.deepEqual(this.failures, []);
      await sleep(1);
    }
  }

  /** What a restart after a power loss finds. */
  async reopen(): Promise<{ readonly log: DurableLog; readonly commit: number }> {
    void this.driver.stop();
    const { log, recovered } = await DurableLog.open(this.env, { ...LOG, flushedIndex: 0, knownCommit: 0 });
    return { log, commit: recovered.commit };
  }
}

describe('the commit index that a batch is written with', () => {
  let follower: Member;

  beforeEach(async () => {
    follower = await new Member().start();
    follower.driver.step(append(2, 1, entry(0, 0), entries(1, 4, 1), 4));
    await follower.until(() => follower.log.lastIndex() === 4);
    // In one turn: what the leader of term 1 sent to this member alone, and the next term.
    follower.gate = new Deferred();
    follower.driver.step(append(2, 1, entry(4, 1), entries(5, 10, 1), 4));
    follower.driver.step(newMessage('MsgHeartbeat', 3, 1, 2));
    await sleep(5);
  });

  it('R3 is that of its own log, although a later one has another entry there by then', async () => {
    const { driver } = follower;
    driver.step(append(4, 3, entry(7, 1), [entry(8, 3)], 7));
    driver.step(append(5, 4, entry(8, 3), [entry(9, 4)], 8));
    follower.maxWrites = 2;
    follower.gate?.resolve();
    await follower.until(() => follower.writes === 3);
    const { log, commit } = await follower.reopen();
    assert.ok(commit < 8 || log.term(8) === 3, `entry 8 of term ${log.term(8)} counts as committed, the cluster committed that of term 3`);
    await log.close();
  });

  it('R3 is within its own log, although a later one is longer by then', async () => {
    const { driver } = follower;
    driver.step(append(4, 3, entry(10, 1), [entry(11, 3)], 10));
    driver.step(append(5, 4, entry(11, 3), [entry(12, 4)], 11));
    follower.gate?.resolve();
    await follower.until(() => follower.log.lastIndex() === 12);
    const { log, commit } = await follower.reopen();
    assert.ok(commit <= 11 && log.term(12) === 4);
    await log.close();
    assert.deepEqual(follower.failures, []);
  });
});

describe('writes that overlap', () => {
  let leader: Member;
  const appended = (index: number): boolean => leader.sent.some(({ type, to, entries: sent }) => type === 'MsgApp' && to === 4 && sent.some((e) => e.index === index));

  beforeEach(async () => {
    leader = await new Member().start();
    await leader.lead();
    leader.acknowledge(4, 1);
    leader.logGate = new Deferred();
  });

  afterEach(() => {
    leader.logGate?.resolve();
    return leader.driver.stop();
  });

  it('a proposal that comes during a write is on its way to the followers before the write ends', async () => {
    leader.driver.proposeAsLeader(utf8('a'));
    await leader.until(() => appended(2));
    leader.driver.proposeAsLeader(utf8('b'));
    await leader.until(() => appended(3));
    assert.equal(leader.log.lastIndex(), 1);
    leader.logGate?.resolve();
    await leader.until(() => leader.log.lastIndex() === 3);
    assert.equal(leader.writes, 3, 'the entry of the election, then one write for what came first and one for the rest');
  });

  it('R2 a leader counts itself only when its own copy is durable', async () => {
    leader.driver.proposeAsLeader(utf8('a'));
    await leader.until(() => appended(2));
    for (const from of [2, 3]) leader.acknowledge(from, 2);
    await sleep(5);
    assert.equal(leader.driver.node.commit, 1);
    leader.logGate?.resolve();
    await leader.until(() => leader.committed.includes(2));
  });

  it('R2 what others committed meanwhile is handed on when the own copy is durable', async () => {
    leader.driver.proposeAsLeader(utf8('a'));
    await leader.until(() => appended(2));
    for (const from of [2, 3, 4]) leader.acknowledge(from, 2);
    await leader.until(() => leader.driver.node.commit === 2);
    await sleep(5);
    assert.deepEqual(leader.committed, [1]);
    leader.logGate?.resolve();
    await leader.until(() => leader.committed.includes(2));
  });
});

describe('a commit index that nobody waits for', () => {
  const appends = ({ sent }: Member): [number, number][] =>
    sent.filter(({ type, to }) => type === 'MsgApp' && to === 2).map((m) => [m.entries.length, m.commit]);

  it('R3 leaves with the next entries, and by itself when there are none', async () => {
    const leader = await new Member().start();
    await leader.lead();
    await leader.until(() => appends(leader).some(([count, commit]) => count === 0 && commit === 1));
    leader.sent.length = 0;
    leader.driver.proposeAsLeader(utf8('a'));
    await leader.until(() => leader.log.lastIndex() === 2);
    for (const from of [2, 3]) leader.acknowledge(from, 2);
    leader.driver.proposeAsLeader(utf8('b'));
    await leader.until(() => leader.committed.includes(2));
    assert.deepEqual(appends(leader), [[1, 1], [1, 2]], 'not told of by itself: the entry tells');
    await leader.until(() => leader.log.lastIndex() === 3);
    for (const from of [2, 3]) leader.acknowledge(from, 3);
    await leader.until(() => appends(leader).length === 3);
    assert.deepEqual(appends(leader)[2], [0, 3]);
    await leader.driver.stop();
  });
});

describe('a leader whose disk stalls', () => {
  it('gives up its office after an election time-out, and goes on as a follower when the disk is back', async () => {
    const leader = await new Member().start(5);
    await leader.lead();
    leader.logGate = new Deferred();
    leader.driver.proposeAsLeader(utf8('a'));
    const alive = setInterval(() => [2, 3].forEach((from) => leader.driver.step(newMessage('MsgHeartbeatResp', from, 1, 2))), 2);
    try {
      await leader.until(() => leader.driver.node.role !== 'leader');
    } finally {
      clearInterval(alive);
    }
    leader.logGate.resolve();
    await leader.until(() => leader.log.lastIndex() === 2);
    assert.deepEqual(leader.failures, []);
    await leader.driver.stop();
  });
});

describe('an entry that went bad in its leader\'s memory', () => {
  const bytes = (): Uint8Array => encodeKv({ member: 1, incarnation: 1, sequence: 1 }, { kind: 'put', request: put('key', 'value') });
  const good = (kib: number): Uint8Array =>
    encodeKv({ member: 1, incarnation: 1, sequence: 2 }, { kind: 'put', request: put('key', 'v'.repeat(kib * 1024)) });
  const turn = (entry: Uint8Array): void => void (entry[9] = (entry[9] as number) ^ 4);
  let leader: Member;

  beforeEach(async () => {
    leader = await new Member().start(5);
  });

  afterEach(() => leader.driver.stop());

  /** Followers that live, and take nothing. */
  async function untilDeposed(): Promise<void> {
    const alive = setInterval(() => [2, 3].forEach((from) => leader.driver.step(newMessage('MsgHeartbeatResp', from, 1, 2))), 2);
    try {
      await leader.until(() => leader.driver.node.role === 'follower');
    } finally {
      clearInterval(alive);
    }
    leader.sent.length = 0;
  }

  async function votesFor(candidate: number, term: number, last: Entry): Promise<boolean> {
    leader.driver.step(Object.assign(newMessage('MsgVote', candidate, 1, term), { index: last.index, logTerm: last.term, force: true }));
    const answer = (): Message | undefined => leader.sent.find(({ type, to, term: of }) => type === 'MsgVoteResp' && to === candidate && of === term);
    await leader.until(() => answer() !== undefined);
    return answer()?.reject === false;
  }

  it('C1 R5 on its disk, too: it steps down, and votes again only when another leader\'s entry is there instead', async () => {
    await leader.lead();
    const data = bytes();
    leader.logGate = new Deferred();
    leader.driver.proposeAsLeader(data);
    await leader.until(() => leader.driver.node.lastIndex === 2);
    turn(data);
    leader.logGate.resolve();
    await untilDeposed();
    assert.equal(await votesFor(2, 7, entry(2, 2)), false);
    leader.driver.step(append(3, 8, entry(1, 2), [entry(2, 8)], 1));
    await leader.until(() => leader.driver.node.termAt(2) === 8);
    const grants = (): boolean => leader.sent.some(({ type, to, reject }) => type === 'MsgVoteResp' && to === 2 && !reject);
    // It looks at its copies once in an election time-out: the candidate asks until then.
    let term = 9;
    await leader.until(() => {
      if (!grants()) leader.driver.step(Object.assign(newMessage('MsgVote', 2, 1, term++), { index: 2, logTerm: 8, force: true }));
      return grants();
    });
    assert.deepEqual(leader.failures, []);
  });

  it('C1 good on its disk: it steps down, has the entry as it was, and votes', async () => {
    await leader.lead();
    const data = bytes();
    leader.driver.proposeAsLeader(data);
    await leader.until(() => leader.log.lastIndex() === 2);
    turn(data);
    await untilDeposed();
    assert.deepEqual(leader.driver.node.entriesAfter(1, 1e6)[0]?.data, bytes());
    assert.equal(await votesFor(2, 7, entry(2, 2)), true);
  });

  it('C1 far behind in the append that followers refuse: it steps down', async () => {
    await leader.lead();
    const data = bytes();
    for (let i = 0; i < 20; i++) leader.driver.proposeAsLeader(good(40));
    leader.driver.proposeAsLeader(data);
    await leader.until(() => leader.log.lastIndex() === 22);
    turn(data);
    await untilDeposed();
  });

  it('C1 sent to followers that it has only begun to probe: it steps down', async () => {
    const before = Array.from({ length: 30 }, (_, i): Entry => ({ index: i + 1, term: 1, type: 'normal', data: good(40) }));
    leader.driver.step(append(3, 1, { index: 0, term: 0, type: 'normal', data: EMPTY }, before, 0));
    await leader.until(() => leader.log.lastIndex() === 30);
    await leader.elected();
    const data = bytes();
    leader.driver.proposeAsLeader(data);
    await leader.until(() => leader.log.lastIndex() === 32);
    turn(data);
    await untilDeposed();
  });
});

describe('a log without room', () => {
  it('C1 R2 a leader leads no more, has acknowledged nothing of it, votes, takes no entries, and takes them again when there is room', async () => {
    const member = await new Member().start();
    const { driver, log, sent } = member;
    await member.lead();
    member.full = true;
    driver.proposeAsLeader(utf8('a'));
    await member.until(() => driver.node.role === 'follower');
    assert.deepEqual([driver.node.term, driver.node.lastIndex, driver.node.lead, log.lastIndex()], [2, 1, 0, 1]);
    assert.ok(!driver.proposeAsLeader(utf8('b')));
    driver.campaign();
    await sleep(5);
    assert.equal(driver.node.role, 'follower', 'who could not lead does not campaign');
    driver.step(Object.assign(newMessage('MsgVote', 3, 1, 3), { index: 2, logTerm: 2 }));
    await member.until(() => sent.some(({ type, to, term, reject }) => type === 'MsgVoteResp' && to === 3 && term === 3 && !reject));
    sent.length = 0;
    driver.step(append(3, 3, entry(1, 2), [entry(2, 2), entry(3, 3)], 3));
    driver.step(newMessage('MsgHeartbeat', 3, 1, 3));
    await member.until(() => sent.some(({ type }) => type === 'MsgHeartbeatResp'));
    assert.ok(!sent.some(({ type }) => type === 'MsgAppResp'), 'what cannot be written is not acknowledged');
    member.full = false;
    for (let i = 0; log.lastIndex() < 3; i++) {
      assert.ok(i < 400, `the log ends with ${log.lastIndex()}`);
      driver.step(append(3, 3, entry(1, 2), [entry(2, 2), entry(3, 3)], 3));
      await sleep(5);
    }
    await member.until(() => member.committed.includes(3) && sent.some(({ type, index }) => type === 'MsgAppResp' && index === 3));
    assert.deepEqual([member.committed, member.failures], [[1, 2, 3], []]);
    await driver.stop();
  });
});
