/**
 * A model of re-admission: hosts that lose what they have promised, at any moment, and the rules
 * that ship (`rules.ts`, `state/members.ts`) between leaders that change. A step is one thing that
 * is durable: so a crash is no step of its own, it is the order in which others come.
 *
 * Checked in every state: one vote in a term of each id (R1 R2), a new leader has all that was
 * committed, and no two entries are committed at one index (R3 D1); one new id of each intent.
 *
 * Simpler than the product: a change of the members is committed by majorities with and without it
 * and holds from then on, in one step; nothing is proposed meanwhile.
 */

import { changeMembers, leaveJoint, staticMembers, type MemberChange, type Members } from '../../state/members.js';
import type { IntentStage, RecoverIntent } from '../intent.js';
import { mayDo, nextStep, placeOf, whoWas } from '../rules.js';

export interface ModelOptions {
  readonly terms: number;
  /** Entries of a log. */
  readonly entries: number;
  /** Hosts that lose their promises. */
  readonly losses: number;
  /**
   * A planted mistake. `votes-on`: without its promises it goes on under its old id. `draws-again`:
   * each question brings another id.
   */
  readonly mistake?: 'votes-on' | 'draws-again';
}

/** Term and meaning: 0 nothing, 1 + h host h is let in again, 5 + h it takes its place. */
type LogEntry = readonly [term: number, says: number];

interface Host {
  readonly id: number;
  readonly stage: IntentStage | 'none';
  /** Of the intent; 0: none. */
  readonly newId: number;
  readonly replaces: number;
  readonly past: number;
  readonly term: number;
  readonly vote: number;
  readonly log: readonly LogEntry[];
  readonly commit: number;
  /** Leads its term; then what it was told to be durable, by id. */
  readonly leads: boolean;
  readonly match: Readonly<Record<number, number>>;
}

interface State {
  readonly hosts: readonly Host[];
  /** What is remembered for the checks only. */
  readonly votes: Readonly<Record<string, number>>;
  readonly committed: readonly LogEntry[];
  readonly losses: number;
  /** New ids by host. */
  readonly given: readonly number[];
}

const HOSTS = [0, 1, 2];
const ORIGIN = HOSTS.map((h) => ({ id: h + 1, name: `n${h}`, peerUrls: [`http://n${h}:1`] }));

export class Violation extends Error {}

export interface Explored {
  readonly states: number;
  /** In how many of them a member has come back with a vote. */
  readonly back: number;
  readonly violation: string | undefined;
}

/** Every state, each looked at once. */
export function explore(options: ModelOptions): Explored {
  const model = new Model(options);
  const seen = new Set<string>();
  const queue: State[] = [];
  const meet = (state: State): void => {
    const key = JSON.stringify(state);
    if (seen.has(key)) return;
    seen.add(key);
    queue.push(state);
  };
  let back = 0;
  try {
    meet(model.initial());
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (at.hosts.some((host) => host.id > 3 && model.members(host).confState.voters.includes(host.id))) back++;
      for (const next of model.next(at)) meet(next);
    }
    return { states: seen.size, back, violation: undefined };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { states: seen.size, back, violation: error.message };
  }
}

class Model {
  readonly #options: ModelOptions;
  readonly #members = new Map<string, Members>();

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  initial(): State {
    const host = (h: number): Host => ({
      id: h + 1, stage: 'none', newId: 0, replaces: 0, past: 0, term: 0, vote: 0, log: [], commit: 0, leads: false, match: {},
    });
    return { hosts: HOSTS.map(host), votes: {}, committed: [], losses: 0, given: [0, 0, 0] };
  }

  /** As the committed log of this host has led to. */
  members(host: Host): Members {
    return this.#after(host.log.slice(0, host.commit));
  }

  *next(s: State): Generator<State> {
    for (const h of HOSTS) {
      const host = s.hosts[h] as Host;
      if (s.losses < this.#options.losses && host.term > 0 && host.id === h + 1 && host.stage === 'none') yield* this.#loses(s, h);
      if (host.stage === 'admitted') yield this.#begins(s, h);
      if (!takesPart(host)) continue;
      yield* this.#campaigns(s, h);
      if (host.leads) yield* this.#leads(s, h);
    }
  }

  /** Hard state, or everything; the log that is left is of no use either way. */
  *#loses(s: State, h: number): Generator<State> {
    const host = s.hosts[h] as Host;
    const nothing = { term: 0, vote: 0, commit: 0, leads: false, match: {} };
    const { mistake } = this.#options;
    const stage = mistake === 'votes-on' ? 'none' : 'asks';
    const more = { ...s, losses: s.losses + 1 };
    for (const log of [host.log, []]) yield put(more, h, { ...host, ...nothing, log, stage, newId: h + 4 });
  }

  #begins(s: State, h: number): State {
    const host = s.hosts[h] as Host;
    return put(s, h, { ...host, stage: 'begun', id: host.newId, term: 0, vote: 0, log: [], commit: 0, leads: false, match: {} });
  }

  *#campaigns(s: State, c: number): Generator<State> {
    const candidate = s.hosts[c] as Host;
    const term = candidate.term + 1;
    if (term > this.#options.terms || !this.members(candidate).confState.voters.includes(candidate.id)) return;
    for (const others of [[0], [1], [2], [0, 1], [0, 2], [1, 2]]) {
      if (others.includes(c)) continue;
      const granted = others.filter((v) => {
        const voter = s.hosts[v] as Host;
        return takesPart(voter) && voter.term < term && isUpToDate(candidate.log, voter.log);
      });
      if (granted.length < others.length) continue;
      let next = s;
      for (const v of [c, ...granted]) {
        const voter = next.hosts[v] as Host;
        const key = `${voter.id}/${term}`;
        if ((next.votes[key] ?? candidate.id) !== candidate.id) throw new Violation(`R1 member ${voter.id} votes twice in term ${term}`);
        const votes = { ...next.votes, [key]: candidate.id };
        next = put({ ...next, votes }, v, { ...voter, term, vote: candidate.id, leads: false, match: {} });
      }
      const ids = new Set([c, ...granted].map((v) => (s.hosts[v] as Host).id));
      if (!isMajority(this.members(candidate).confState.voters, ids)) {
        yield next;
        continue;
      }
      if (!startsWith(candidate.log, s.committed)) throw new Violation(`D1 member ${candidate.id} leads term ${term} without what was committed`);
      if (s.hosts.some((other) => other.leads && other.term === term)) throw new Violation(`R1 two lead term ${term}`);
      const log: LogEntry[] = [...candidate.log, [term, 0]];
      if (log.length > this.#options.entries) continue;
      yield put(next, c, { ...(next.hosts[c] as Host), log, leads: true, match: { [candidate.id]: log.length } });
    }
  }

  *#leads(s: State, l: number): Generator<State> {
    const leader = s.hosts[l] as Host;
    for (const f of HOSTS) {
      const follower = s.hosts[f] as Host;
      if (f === l || follower.term > leader.term || !takesPart(follower)) continue;
      if (!this.members(leader).list.some(({ id }) => id === follower.id)) continue;
      const commit = Math.max(Math.min(follower.commit, leader.log.length), leader.commit);
      const vote = follower.term === leader.term ? follower.vote : 0;
      const taken = put(s, f, { ...follower, term: leader.term, vote, log: leader.log, commit, leads: false, match: {} });
      yield this.#commits(put(taken, l, { ...leader, match: { ...leader.match, [follower.id]: leader.log.length } }), l);
    }
    if (leader.log.length >= this.#options.entries || leader.commit < leader.log.length || leader.log.at(-1)?.[0] !== leader.term) return;
    for (const h of HOSTS) yield* this.#serves(s, l, h);
  }

  /** What the leader does for a host that comes back. */
  *#serves(s: State, l: number, h: number): Generator<State> {
    const leader = s.hosts[l] as Host;
    const host = s.hosts[h] as Host;
    const members = this.members(leader);
    const claim = { shown: [h + 1], place: undefined };
    if (host.stage === 'asks') {
      const let_in = members.list.find(({ id }) => id === host.newId);
      if (let_in !== undefined) {
        // The answer may be lost: then it asks again.
        if (this.#options.mistake === 'draws-again') yield put(s, h, { ...host, newId: host.newId + 3 });
        yield put(s, h, { ...host, stage: 'admitted', replaces: placeOf(members, claim, host.newId), past: leader.commit });
      } else if (whoWas(members, claim) !== 0) yield this.#appends(s, l, 1 + h + 16 * host.newId);
    } else if (host.stage === 'begun') {
      const intent = { ...(host as unknown as RecoverIntent), id: host.newId };
      const step = nextStep(members, intent, host.commit);
      if (step === 'replace' && (leader.match[host.id] ?? 0) >= host.past) yield this.#appends(s, l, 5 + h + 16 * host.newId);
    }
  }

  #appends(s: State, l: number, says: number): State {
    const leader = s.hosts[l] as Host;
    const log: LogEntry[] = [...leader.log, [leader.term, says]];
    return this.#commits(put(s, l, { ...leader, log, match: { ...leader.match, [leader.id]: log.length } }), l);
  }

  #commits(s: State, l: number): State {
    const leader = s.hosts[l] as Host;
    let { commit } = leader;
    for (let n = leader.commit + 1; n <= leader.log.length; n++) {
      const has = new Set(Object.entries(leader.match).filter(([, length]) => length >= n).map(([id]) => Number(id)));
      const [before, after] = [this.#after(leader.log.slice(0, n - 1)), this.#after(leader.log.slice(0, n))];
      const agreed = isMajority(after.confState.voters, has) && isMajority(before.confState.voters, has);
      if ((leader.log[n - 1] as LogEntry)[0] === leader.term && agreed) commit = n;
    }
    if (commit === leader.commit) return s;
    const told = leader.log.slice(0, commit);
    if (!startsWith(told, s.committed) && !startsWith(s.committed, told)) throw new Violation('R3 two entries are committed at one index');
    const committed = told.length > s.committed.length ? told : s.committed;
    const given = HOSTS.map((h) => new Set(committed.filter(([, says]) => says % 16 === 1 + h).map(([, says]) => says)).size);
    if (given.some((count) => count > 1)) throw new Violation('R5 one intent led to two new ids');
    return put({ ...s, committed, given }, l, { ...leader, commit });
  }

  #after(log: readonly LogEntry[]): Members {
    const key = log.map(([, says]) => says).join();
    let members = this.#members.get(key);
    if (members !== undefined) return members;
    if (log.length === 0) members = staticMembers(ORIGIN);
    else {
      const before = this.#after(log.slice(0, -1));
      const change = changeOf((log.at(-1) as LogEntry)[1]);
      const changed = change === undefined ? before : changeMembers(before, log.length, change, before.origin);
      members = typeof changed === 'string' ? before : leaveJoint(changed);
    }
    this.#members.set(key, members);
    return members;
  }
}

function changeOf(says: number): MemberChange | undefined {
  const [kind, id] = [says % 16, Math.floor(says / 16)];
  if (kind >= 1 && kind <= 3) return { kind: 'readmit', id, of: kind, dropped: [] };
  return kind >= 5 && kind <= 7 ? { kind: 'replace', id, removed: kind - 4 } : undefined;
}

function put(s: State, h: number, host: Host): State {
  return { ...s, hosts: s.hosts.map((other, at) => (at === h ? host : other)) };
}

function takesPart({ stage }: Host): boolean {
  return mayDo(stage === 'none' ? undefined : stage).takesPart;
}

function isMajority(voters: readonly number[], ids: ReadonlySet<number>): boolean {
  return 2 * voters.filter((id) => ids.has(id)).length > voters.length;
}

function isUpToDate(candidate: readonly LogEntry[], voter: readonly LogEntry[]): boolean {
  const [a, b] = [candidate.at(-1)?.[0] ?? 0, voter.at(-1)?.[0] ?? 0];
  return a > b || (a === b && candidate.length >= voter.length);
}

function startsWith(log: readonly LogEntry[], with_: readonly LogEntry[]): boolean {
  return log.length >= with_.length && with_.every(([term, says], i) => log[i]?.[0] === term && log[i][1] === says);
}
