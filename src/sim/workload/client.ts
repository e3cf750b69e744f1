/**
 * One client: it makes one request at a time, stays with one node until something goes wrong, and
 * waits until a deadline. After that no answer counts; the request may still be on its way, and be
 * carried out.
 */

import type { Timer } from '../../base/env.js';
import type { Coverage } from '../model/coverage.js';
import type { Stream } from '../world/random.js';
import type { Process, World } from '../world/world.js';
import type { ClientLinks } from './client-links.js';
import { describeRecord } from './history/describe.js';
import type { Generator } from './generator.js';
import type { History, OpRecord, Outcome } from './history/history.js';
import { mayWrite, type Op } from './history/operation.js';
import type { NodeAccess } from './node-access.js';
import type { WorkloadNode } from './node.js';

export interface ClientOptions {
  /** From 1. */
  readonly client: number;
  readonly world: World;
  readonly nodes: readonly WorkloadNode[];
  readonly links: ClientLinks;
  readonly access: NodeAccess;
  readonly generator: Generator;
  readonly history: History;
  readonly coverage: Coverage;
  readonly random: Stream;
  /** The client may be given work again. */
  readonly free: () => void;
}

const SECOND_US = 1_000_000;
/** How soon a client notices that the process it asked is gone. */
const WATCH_US = SECOND_US;
const FIRST_BACKOFF_US = 30_000;
const MAX_BACKOFF_US = SECOND_US;

export class Client {
  readonly #options: ClientOptions;
  readonly #deadlineUs: number;
  #state: 'free' | 'waiting' | 'resting' = 'free';
  #node: WorkloadNode;
  #probe: Op | undefined;
  #backoffUs = FIRST_BACKOFF_US;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#deadlineUs = options.random.pick([3, 8, 8, 12]) * SECOND_US;
    this.#node = options.random.pick(options.nodes);
  }

  get isFree(): boolean {
    return this.#state === 'free';
  }

  /** An operation of this client is under way. */
  get isWaiting(): boolean {
    return this.#state === 'waiting';
  }

  begin(): void {
    const { client, world, nodes, links, access, generator, history, coverage, random } = this.#options;
    if (random.chance(1, 24)) this.#node = random.pick(membersOf(nodes));
    const { kind, op } = this.#probe === undefined ? generator.next() : { kind: 'probe', op: this.#probe };
    this.#probe = undefined;
    coverage.branch(`op ${kind}`);
    const node = this.#node;
    const record = history.begin(client, node.id, op, world.nowUs);
    this.#state = 'waiting';
    let taken: Process | undefined;
    let watch: Timer | undefined;
    const settle = (outcome: Outcome): void => {
      if (record.outcome !== undefined) return;
      deadline.cancel();
      watch?.cancel();
      this.#settle(record, outcome);
    };
    const deadline = world.schedule(this.#deadlineUs, () => settle({ kind: 'unknown', code: 'DEADLINE' }));
    const look = (): void => {
      if (taken?.alive === false) settle({ kind: 'unknown', code: 'DISCONNECTED' });
      else watch = world.schedule(WATCH_US, look);
    };
    watch = world.schedule(WATCH_US, look);
    links.toNode(client, node.id, () => {
      taken = access.serve(node, record, (outcome) => links.toClient(client, node.id, () => settle(outcome)));
    });
  }

  #settle(record: OpRecord, outcome: Outcome): void {
    const { world, history, generator, random, nodes, free } = this.#options;
    history.settle(record, outcome, world.nowUs);
    this.#trace(record, outcome);
    let restUs = random.tail(2_000);
    if (outcome.kind === 'answered') {
      this.#backoffUs = FIRST_BACKOFF_US;
      generator.learn(record.op, outcome.answer);
    } else {
      if (outcome.kind === 'unknown' && mayWrite(record.op)) this.#probe = generator.probe(record.op);
      if (!isAnswerOfState(outcome.code)) {
        this.#node = random.pick(membersOf(nodes));
        restUs += this.#backoffUs;
        this.#backoffUs = Math.min(2 * this.#backoffUs, MAX_BACKOFF_US);
      }
    }
    this.#state = 'resting';
    world.schedule(restUs, () => {
      this.#state = 'free';
      free();
    });
  }

  #trace(record: OpRecord, outcome: Outcome): void {
    const { trace, nowUs } = this.#options.world;
    trace.fold(record.id, outcome.kind === 'answered' ? outcome.answer.revision : outcome.kind === 'unknown' ? -1 : -2);
    if (trace.taping) trace.row(nowUs, 0, describeRecord(record));
  }
}

/** Machines on which a member lives: more may come, and they may go. */
function membersOf(nodes: readonly WorkloadNode[]): readonly WorkloadNode[] {
  const members = nodes.filter(({ state }) => state !== 'away');
  return members.length === 0 ? nodes : members;
}

/** The node is well: the request asked for what is not there any more, or not yet. */
function isAnswerOfState(code: string): boolean {
  return code === 'COMPACTED' || code === 'FUTURE_REVISION';
}
