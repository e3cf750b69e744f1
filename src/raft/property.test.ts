/**
 * Random groups with a bad network and crashes, checked for what Raft promises. Everything hangs on
 * one seed, which a failure prints.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codeOf } from '../base/errors.js';
import { decodeMessages } from './message-codec.js';
import { RaftNode } from './node.js';
import { encodeMessages } from './testing/encode-messages.js';
import { MemoryLog } from './testing/memory-log.js';
import type { Entry, Message, ReadState } from './types.js';

/** RAFT_RUNS=500 digs deeper. */
const RUNS = Number(process.env['RAFT_RUNS'] ?? 25);
const STEPS_PER_NODE = 1200;

function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Peer {
  readonly id: number;
  readonly storage: MemoryLog;
  node: RaftNode;
  /** Those whose writes are under way, oldest first; one at most without asynchronous writes. */
  writing: ReturnType<RaftNode['ready']>[];
  appliedTo: number;
}

interface Options {
  readonly nodes: number;
  readonly lease: boolean;
  readonly async: boolean;
}

class World {
  readonly #random: () => number;
  readonly #options: Options;
  readonly #preVote: boolean;
  readonly #checkQuorum: boolean;
  readonly #peers: Peer[] = [];
  #network: Message[] = [];
  readonly #leaders = new Map<number, number>();
  /** What was handed out for applying at each index, anywhere, ever. */
  readonly #committed: Entry[] = [];
  readonly #readFloor = new Map<string, number>();
  #partition = new Set<number>();
  #proposals = 0;
  reads = 0;

  constructor(seed: number, options: Options) {
    this.#random = mulberry(seed);
    this.#preVote = this.#random() < 0.7;
    this.#checkQuorum = options.lease || this.#random() < 0.7;
    this.#options = options;
    const voters = Array.from({ length: options.nodes }, (_, i) => i + 1);
    for (const id of voters) {
      const storage = new MemoryLog({ voters });
      this.#peers.push({ id, storage, node: this.#start(id, storage), writing: [], appliedTo: 0 });
    }
  }

  get committed(): number {
    return this.#committed.length;
  }

  #start(id: number, storage: MemoryLog): RaftNode {
    return new RaftNode(
      {
        id,
        random: { float: this.#random },
        electionTick: 6,
        preVote: this.#preVote,
        checkQuorum: this.#checkQuorum,
        readOnly: this.#options.lease ? 'leaseBased' : 'safe',
        maxSizePerMsg: 40,
        maxInflightMsgs: 3,
        maxCommittedSizePerReady: 60,
        asyncStorageWrites: this.#options.async,
        applied: storage.firstIndex() - 1,
      },
      storage,
    );
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) {
      this.#step();
      this.#check();
    }
  }

  #step(): void {
    const dice = this.#random();
    const peer = this.#pick(this.#peers);
    if (dice < 0.08) this.#tickAll();
    else if (dice < 0.45) this.#deliver();
    else if (dice < 0.75) this.#work(peer);
    else if (dice < 0.87) this.#propose(peer);
    else if (dice < 0.93) this.#read(peer);
    else if (dice < 0.94) this.#compact(peer);
    else if (dice < 0.945) this.#crash(peer);
    else if (dice < 0.955) peer.node.transferLeader(this.#pick(this.#peers).id);
    else if (dice < 0.96) this.#partition = new Set(this.#peers.filter(() => this.#random() < 0.4).map((p) => p.id));
    else if (dice < 0.97) this.#partition.clear();
    else if (dice < 0.975) peer.node.forgetLeader();
    else if (dice < 0.98) peer.node.reportUnreachable(this.#pick(this.#peers).id);
    else if (dice < 0.985) peer.node.reportSnapshot(this.#pick(this.#peers).id, this.#random() < 0.5);
    else if (dice < 0.987) peer.node.campaign();
  }

  /** Clocks run at the same rate, give or take the order of ticks: what leases rest on. */
  #tickAll(): void {
    for (const peer of [...this.#peers].sort(() => this.#random() - 0.5)) peer.node.tick();
  }

  #deliver(): void {
    if (this.#network.length === 0) return;
    const at = Math.floor(this.#random() ** 2 * this.#network.length);
    const message = this.#network[at] as Message;
    if (this.#random() < 0.95) this.#network.splice(at, 1); // else it comes again
    if (this.#network.length > 500) this.#network.splice(0, 100);
    if (this.#partition.has(message.from) !== this.#partition.has(message.to) || this.#random() < 0.05) return;
    const peer = this.#peers[message.to - 1] as Peer;
    this.#input(() => decodeMessages(encodeMessages([message])).forEach((m) => peer.node.step(m)));
  }

  #input(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (codeOf(error) !== 'PROPOSAL_DROPPED') throw error;
    }
  }

  /** Takes a Ready out, or finishes the oldest of those that are being written. */
  #work(peer: Peer): void {
    const { writing, node } = peer;
    const more = this.#options.async ? writing.length < 4 && this.#random() < 0.6 : writing.length === 0;
    if (!more) {
      const [oldest] = writing.splice(0, 1);
      if (oldest !== undefined) this.#written(peer, oldest);
      return;
    }
    if (!node.hasReady()) return;
    const ready = node.ready();
    writing.push(ready);
    for (const read of ready.readStates) this.#checkRead(read);
    if (!this.#options.async) return;
    this.#network.push(...ready.messages.filter(({ type }) => !type.startsWith('MsgStorage')));
    for (const entry of ready.committedEntries) this.#apply(peer, entry);
    for (const message of ready.messages) if (message.type === 'MsgStorageApply') this.#answer(peer, message.responses);
  }

  #written(peer: Peer, ready: ReturnType<RaftNode['ready']>): void {
    const { storage, node } = peer;
    if (ready.hardState !== undefined) storage.hardState = ready.hardState;
    if (ready.snapshot !== undefined) {
      storage.install(ready.snapshot);
      peer.appliedTo = ready.snapshot.metadata.index;
    }
    storage.append(ready.entries);
    if (this.#options.async) {
      for (const message of ready.messages) if (message.type === 'MsgStorageAppend') this.#answer(peer, message.responses);
      return;
    }
    this.#network.push(...ready.messages);
    for (const entry of ready.committedEntries) this.#apply(peer, entry);
    node.advance(ready);
  }

  #answer(peer: Peer, responses: readonly Message[]): void {
    for (const message of responses) {
      if (message.to === peer.id) peer.node.step(message);
      else this.#network.push(message);
    }
  }

  #apply(peer: Peer, entry: Entry): void {
    assert.equal(entry.index, peer.appliedTo + 1, 'entries are applied in order, without gaps');
    peer.appliedTo = entry.index;
    const known = this.#committed[entry.index - 1];
    if (known === undefined) this.#committed[entry.index - 1] = entry;
    else assert.deepEqual(entry, known, `R3 entry ${entry.index} is the same everywhere and always`);
  }

  #propose(peer: Peer): void {
    const count = 1 + Math.floor(this.#random() * 3);
    const datas = Array.from({ length: count }, () => new TextEncoder().encode(`p${this.#proposals++}`));
    this.#input(() => peer.node.proposeEntries(datas));
  }

  /** R4: whoever reads must see at least what anybody had committed when the read began. */
  #read(peer: Peer): void {
    const name = `r${this.reads}-${this.#readFloor.size}`;
    this.#readFloor.set(name, Math.max(...this.#peers.map((p) => p.node.commit)));
    peer.node.readIndex(new TextEncoder().encode(name));
  }

  #checkRead(read: ReadState): void {
    const floor = this.#readFloor.get(new TextDecoder().decode(read.context));
    assert.ok(floor !== undefined && read.index >= floor, `R4 read at ${read.index}, but ${floor} was committed before`);
    this.reads++;
  }

  #compact(peer: Peer): void {
    const { storage } = peer;
    const upTo = Math.min(peer.appliedTo, storage.lastIndex());
    if (peer.writing.length === 0 && upTo > storage.firstIndex() + 5) storage.compact(upTo - 2);
  }

  /** What was not written is lost; half of a write may be there already. */
  #crash(peer: Peer): void {
    const { storage } = peer;
    const [writing] = peer.writing;
    if (writing !== undefined && writing.snapshot === undefined && this.#random() < 0.5) {
      if (writing.hardState !== undefined) {
        // The commit index may tell only of entries that are there.
        const last = writing.entries[0] === undefined ? storage.lastIndex() : writing.entries[0].index - 1;
        storage.hardState = { ...writing.hardState, commit: Math.min(writing.hardState.commit, last) };
      }
      if (this.#random() < 0.5) storage.append(writing.entries);
    }
    peer.writing = [];
    peer.node = this.#start(peer.id, storage);
    peer.appliedTo = storage.firstIndex() - 1;
  }

  #check(): void {
    for (const { id, node } of this.#peers) {
      if (!node.isLeader) continue;
      const other = this.#leaders.get(node.term);
      assert.ok(other === undefined || other === id, `R1 nodes ${other} and ${id} both lead in term ${node.term}`);
      this.#leaders.set(node.term, id);
    }
  }

  /** R3: two logs that have an entry of one index and term are the same up to there. */
  checkLogs(): void {
    for (const a of this.#peers) {
      for (const b of this.#peers) {
        const first = Math.max(a.storage.firstIndex(), b.storage.firstIndex());
        let agree = false;
        for (let index = Math.min(a.storage.lastIndex(), b.storage.lastIndex()); index >= first; index--) {
          const [x] = a.storage.entries(index, index + 1);
          const [y] = b.storage.entries(index, index + 1);
          if (x?.term === y?.term) agree = true;
          if (agree) assert.deepEqual(x, y, `R3 logs match below an entry of the same term, at ${index}`);
        }
      }
    }
  }

  /** With a sound network, everybody catches up and something new is committed. */
  recover(): void {
    this.#partition.clear();
    const before = this.committed;
    for (let round = 0; round < 400 && this.committed < before + 1; round++) this.#soundRound(round);
    assert.ok(this.committed > before, 'a sound group makes progress');
    const goal = this.committed;
    for (let round = 0; round < 400 && this.#peers.some((p) => p.appliedTo < goal); round++) this.#soundRound(1);
    assert.deepEqual(this.#peers.filter((p) => p.appliedTo < goal).map((p) => p.id), [], 'everybody catches up');
  }

  #soundRound(round: number): void {
    this.#tickAll();
    for (const peer of this.#peers) if (round % 20 === 0) this.#propose(peer);
    for (let i = 0; i < 20; i++) {
      for (const peer of this.#peers) this.#work(peer);
      const batch = this.#network;
      this.#network = [];
      for (const m of batch) this.#input(() => (this.#peers[m.to - 1] as Peer).node.step(m));
    }
    // A lost snapshot is reported by whoever sent it.
    for (const { node } of this.#peers) {
      for (const [id, progress] of node.status().progress ?? []) if (progress.state === 'snapshot') node.reportSnapshot(id, false);
    }
    this.#check();
  }
}

describe('raft under random faults', function () {
  this.timeout(60_000);
  for (const [nodes, lease] of [[3, false], [5, false], [3, true]] as const) {
    const how = `${nodes} nodes, ${lease ? 'lease-based' : 'safe'} reads`;
    it(`R1 R3 R4 hold under loss, duplication, reordering and crashes, and the group recovers (${how})`, () => {
      let reads = 0;
      let committed = 0;
      fc.assert(
        fc.property(fc.integer({ min: 0 }), fc.boolean(), (seed, async) => {
          const world = new World(seed, { nodes, lease, async });
          world.run(nodes * STEPS_PER_NODE);
          world.checkLogs();
          world.recover();
          world.checkLogs();
          reads += world.reads;
          committed += world.committed;
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
      assert.ok(reads > 0 && committed > 5 * RUNS, `the runs did something: ${reads} reads, ${committed} entries`);
    });
  }
});
