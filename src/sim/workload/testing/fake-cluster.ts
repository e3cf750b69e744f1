/**
 * A store that is correct by construction, for tests of the workload and its judge: one log, and
 * nodes that follow it, each with the product's state machine over a tree in memory. It can be made
 * to time out, to crash, and to lie once.
 */

import { EtcdError } from '../../../api/etcd-error.js';
import { Harness } from '../../../replica/kv/testing/harness.js';
import type { KvCommand } from '../../../replica/kv/command.js';
import type {
  CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest,
  RangeResponse, TxnRequest, TxnResponse,
} from '../../../api/requests.js';
import { isReadOnlyTxn, isSerializableTxn } from '../../../replica/kv/txn.js';
import { Coverage } from '../../model/coverage.js';
import type { Violation } from '../../model/result.js';
import { testPump } from '../../testing/pump.js';
import type { Stream } from '../../world/random.js';
import { World, type Process } from '../../world/world.js';
import type { ClientLinks } from '../client-links.js';
import type { OpRecord } from '../history/history.js';
import type { WorkloadNode, WorkloadStore } from '../node.js';
import { Workload } from '../workload.js';

/** Called for each command or response; what it gives takes the place of it. */
export interface Lie {
  /** Of a command that is to be appended to the log. Empty: it is answered, and forgotten. */
  readonly append?: (command: KvCommand, rightAnswer: () => unknown) => readonly KvCommand[] | undefined;
  /** A command that was carried out is answered with a refusal. */
  readonly refuse?: (command: KvCommand) => boolean;
  readonly range?: (request: RangeRequest, response: RangeResponse) => RangeResponse | undefined;
  /** A linearizable read of the state as the node has it. */
  readonly skipReadIndex?: () => boolean;
  /** The node that reads goes back by so many entries of the log. */
  readonly goBack?: () => number;
  readonly error?: (request: RangeRequest) => EtcdError | undefined;
}

export interface FakeOptions {
  readonly seed: number;
  readonly nodes?: number;
  readonly clients?: number;
  readonly keys?: number;
  readonly seconds?: number;
  /** Of a thousand writes: so many never tell how they ended. */
  readonly unknownIn1000?: number;
  /** Seconds between crashes of a node; 0: none. */
  readonly crashSeconds?: number;
  readonly lie?: (random: Stream) => Lie;
}

class FakeNode implements WorkloadNode {
  readonly id: number;
  readonly state = 'up';
  lives = 1;
  process: Process;
  machine = Harness.onMemory();

  constructor(id: number) {
    this.id = id;
    this.process = { node: id, alive: true, stalledUntilUs: 0 };
  }

  store: WorkloadStore | undefined;

  get running(): { process: Process; store: WorkloadStore } | undefined {
    return this.store && { process: this.process, store: this.store };
  }
}

export class FakeCluster {
  readonly world: World;
  readonly nodes: FakeNode[] = [];
  readonly log: KvCommand[] = [];
  readonly violations: Violation[] = [];
  readonly coverage = new Coverage();
  readonly lost: OpRecord[] = [];
  readonly workload: Workload;
  readonly seconds: number;
  readonly #random: Stream;
  readonly #options: FakeOptions;
  readonly #lie: Lie;

  constructor(options: FakeOptions) {
    this.#options = options;
    this.world = new World({ seed: options.seed });
    this.#random = this.world.stream('fake');
    this.#lie = options.lie?.(this.world.stream('lie')) ?? {};
    for (let id = 1; id <= (options.nodes ?? 3); id++) this.nodes.push(new FakeNode(id));
    for (const node of this.nodes) node.store = this.#storeOf(node);
    this.seconds = options.seconds ?? 530;
    const settings = { clients: options.clients ?? 6, keys: options.keys ?? 60, faultsUntilUs: this.seconds * 1_000_000 };
    this.workload = new Workload({
      world: this.world, settings, nodes: this.nodes, links: this.#links(), coverage: this.coverage,
      report: (violation) => this.violations.push(violation),
      dataLoss: (record) => this.lost.push(record),
    });
  }

  async run(): Promise<ReturnType<Workload['verdict']>> {
    const { world, workload } = this;
    if ((this.#options.crashSeconds ?? 0) > 0) this.#crashLater();
    workload.start();
    await world.run(testPump, this.seconds * 1_000_000);
    await world.run(testPump, (this.seconds + 40) * 1_000_000, () => workload.done);
    workload.stop();
    await world.run(testPump, world.nowUs + 20_000_000, () => workload.idle);
    // At rest.
    for (const node of this.nodes) this.#follow(node, this.log.length);
    for (const node of this.nodes) {
      let read = false;
      void workload.finalReads(node).then(() => (read = true));
      await world.run(testPump, world.nowUs + 60_000_000, () => read);
    }
    return workload.verdict();
  }

  #crashLater(): void {
    this.world.schedule(this.#random.tail((this.#options.crashSeconds ?? 0) * 1_000_000), () => {
      if (this.world.nowUs >= this.seconds * 1_000_000) return;
      const node = this.#random.pick(this.nodes);
      node.process.alive = false;
      node.store = undefined;
      this.world.schedule(this.#random.tail(2_000_000), () => {
        node.process = { node: node.id, alive: true, stalledUntilUs: 0 };
        node.lives++;
        node.store = this.#storeOf(node);
      });
      this.#crashLater();
    });
  }

  #links(): ClientLinks {
    const random = this.world.stream('fake links');
    const pass = (_client: number, _node: number, fn: () => void): void => {
      if (random.chance(this.#options.unknownIn1000 ?? 0, 2_000)) return;
      this.world.schedule(random.tail(500), fn);
    };
    return { toNode: pass, toClient: pass };
  }

  #storeOf(node: FakeNode): WorkloadStore {
    const { process } = node;
    const some = (): Promise<void> => this.world.sleep(this.#random.tail(1_500), process);
    const write = async (command: KvCommand): Promise<unknown> => {
      await some();
      const timesOut = this.#random.chance(this.#options.unknownIn1000 ?? 0, 1_000);
      if (timesOut && this.#random.chance(1, 2)) throw new EtcdError('TIMEOUT');
      const answer = this.#append(node, command);
      if (this.#lie.refuse?.(command) === true) throw new EtcdError('TOO_MANY_REQUESTS');
      if (timesOut) throw new EtcdError('TIMEOUT');
      await some();
      return answer;
    };
    const ready = async (serializable: boolean): Promise<void> => {
      await some();
      // Followers lag until somebody asks.
      const { index } = node.machine;
      if (!serializable && this.#lie.skipReadIndex?.() !== true) this.#follow(node, this.log.length);
      else if (this.#random.chance(1, 3)) this.#follow(node, index + this.#random.below(this.log.length - index + 1));
      const back = this.#lie.goBack?.() ?? 0;
      if (back > 0) this.#rewind(node, back);
    };
    return {
      range: async (request: RangeRequest): Promise<RangeResponse> => {
        await ready(request.serializable);
        const refused = this.#lie.error?.(request);
        if (refused) throw refused;
        const response = node.machine.read(request);
        await some();
        return this.#lie.range?.(request, response) ?? response;
      },
      put: async (request: PutRequest) => (await write({ kind: 'put', request })) as PutResponse,
      deleteRange: async (request: DeleteRangeRequest) => (await write({ kind: 'delete-range', request })) as DeleteRangeResponse,
      lease: { revoke: async (id) => (await write({ kind: 'lease-revoke', request: { id } })) as { revision: number } },
      compact: async (request: CompactionRequest) => (await write({ kind: 'compact', request })) as CompactionResponse,
      txn: async (request: TxnRequest): Promise<TxnResponse> => {
        if (!isReadOnlyTxn(request)) return (await write({ kind: 'txn', request })) as TxnResponse;
        await ready(isSerializableTxn(request));
        return node.machine.readTxn(request);
      },
    };
  }

  #append(node: FakeNode, command: KvCommand): unknown {
    this.#follow(node, this.log.length);
    const rightAnswer = (): unknown => {
      const twin = Harness.onMemory();
      for (const each of this.log) twin.apply(each);
      return twin.run(command);
    };
    const instead = this.#lie.append?.(command, rightAnswer);
    if (instead === undefined) {
      this.log.push(command);
      return node.machine.run(command);
    }
    const answer = rightAnswer();
    for (const each of instead) this.log.push(each);
    this.#follow(node, this.log.length);
    return answer;
  }

  #follow(node: FakeNode, index: number): void {
    while (node.machine.index < index) node.machine.apply(this.log[node.machine.index] as KvCommand, undefined, false);
  }

  #rewind(node: FakeNode, entries: number): void {
    const index = Math.max(0, node.machine.index - entries);
    node.machine = Harness.onMemory();
    this.#follow(node, index);
  }
}
