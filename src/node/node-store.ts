/**
 * The Store API over a replica. Every refusal changes nothing, except a time-out, whose outcome is unknown. Reads that meet
 * a bad block wait for its repair and read again; only when no member has a good copy does the one read fail.
 */

import { codeOf, messageOf } from '../base/errors.js';
import { sleep } from '../base/env.js';
import type { NodeId, TableId, Term } from '../base/ids.js';
import { StorageError } from '../storage/base/errors.js';
import type { ReadView } from '../storage/base/read-view.js';
import { EtcdError } from '../api/etcd-error.js';
import { range, rangeOne, type StoreState } from '../replica/kv/range.js';
import type { KvCommand, KvResponse } from '../replica/kv/command.js';
import type {
  CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest,
  RangeResponse, TxnRequest, TxnResponse,
} from '../api/requests.js';
import { isReadOnlyTxn, isSerializableTxn, readTxn } from '../replica/kv/txn.js';
import { validateCommand, validateRange } from '../replica/kv/validate.js';
import type { Replica } from '../replica/replica.js';
import { nodeStatus, type HealingStatus } from './status.js';
import type { HintStatus } from '../healing/status/hint-status.js';
import type { ScrubReport, ScrubStatus } from '../healing/status/scrub-status.js';
import type { MemberInfo, NodeStatus, Store } from './store.js';

/** What the store shows and starts of healing. */
export interface HealingControl extends HealingStatus {
  scrub(onProgress: (status: ScrubStatus) => void, options?: { readonly bytesPerSecond?: number }): Promise<ScrubReport>;
  /** A block of some table is lost on every member that could be asked: requests read ahead before they are proposed. */
  suspicious(): boolean;
}

/** Beyond these, proposals are refused: the node must catch up first. */
const MAX_SEALED = 8;
const MAX_BACKLOG = 5_000;
const MAX_OWED = 64;
const REPAIR_ATTEMPTS = 64;

export class NodeStore implements Store {
  readonly memberId: NodeId;
  readonly clusterId: bigint;
  readonly #replica: Replica;
  readonly #healing: HealingControl;

  constructor(replica: Replica, healing: HealingControl) {
    this.#replica = replica;
    this.#healing = healing;
    this.memberId = replica.options.self;
    this.clusterId = replica.options.clusterId;
  }

  get term(): Term {
    return this.#replica.term;
  }

  get leader(): NodeId {
    return this.#replica.leader;
  }

  async range(request: RangeRequest): Promise<RangeResponse> {
    validateRange(request);
    do await this.#readable(request.serializable);
    while (!this.#replica.isServable);
    if (request.rangeEnd.length > 0) return this.#sliced((view, state) => range(view, request, state));
    try {
      return rangeOne(this.#replica.tree.current, request, this.#replica.kv.state());
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      await this.#mend(error);
      return this.#sliced((view, state) => range(view, request, state));
    }
  }

  async put(request: PutRequest): Promise<PutResponse> {
    const response = await this.#propose({ kind: 'put', request });
    return (response as Extract<KvResponse, { kind: 'put' }>).response;
  }

  async deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse> {
    const response = await this.#propose({ kind: 'delete-range', request });
    return (response as Extract<KvResponse, { kind: 'delete-range' }>).response;
  }

  async txn(request: TxnRequest): Promise<TxnResponse> {
    if (!isReadOnlyTxn(request)) {
      const response = await this.#propose({ kind: 'txn', request });
      return (response as Extract<KvResponse, { kind: 'txn' }>).response;
    }
    validateCommand({ kind: 'txn', request });
    do await this.#readable(isSerializableTxn(request));
    while (!this.#replica.isServable);
    return this.#sliced((view, state) => readTxn(view, request, state));
  }

  async compact(request: CompactionRequest): Promise<CompactionResponse> {
    const response = await this.#propose({ kind: 'compact', request });
    return (response as Extract<KvResponse, { kind: 'compact' }>).response;
  }

  status(): NodeStatus {
    return nodeStatus(this.#replica, this.#healing);
  }

  members(): readonly MemberInfo[] {
    const { options, gossip } = this.#replica;
    return options.members.map((member) => ({
      id: member.id,
      name: member.name,
      peerUrls: member.peerUrls,
      clientUrls: member.id === options.self ? options.clientUrls : (gossip.of(member.id)?.clientUrls ?? []),
      isLearner: false,
    }));
  }

  async moveLeader(to: NodeId): Promise<void> {
    const { driver, options, env } = this.#replica;
    if (!driver.node.isLeader) throw new EtcdError('NOT_LEADER');
    if (!options.members.some((member) => member.id === to)) throw new EtcdError('BAD_LEADER_TRANSFEREE');
    if (to === options.self) return;
    driver.transferLeader(to);
    const deadline = env.clock.now() + 2 * options.electionMs;
    while (this.#replica.leader !== to) {
      if (env.clock.now() >= deadline) throw new EtcdError('TIMEOUT');
      await Promise.race([this.#replica.nextLeader(), sleep(env.clock, 20)]);
    }
  }

  hints(): readonly HintStatus[] {
    return this.#healing.hints();
  }

  scrub(onProgress: (status: ScrubStatus) => void, options?: { readonly bytesPerSecond?: number }): Promise<ScrubReport> {
    return this.#healing.scrub(onProgress, options);
  }

  async checkLinearizable(timeoutMs: number): Promise<void> {
    const timeout = sleep(this.#replica.env.clock, timeoutMs).then(() => {
      throw new EtcdError('TIMEOUT');
    });
    await Promise.race([this.#replica.readIndex.wait(), timeout]);
  }

  /** R4, and nothing before E is applied. */
  async #readable(serializable: boolean): Promise<void> {
    const early = this.#replica.servable();
    if (early) await early;
    if (serializable) return;
    await this.#replica.readIndex.wait();
    // A snapshot may have been installed meanwhile.
    const later = this.#replica.servable();
    if (later) await later;
  }

  async #propose(command: KvCommand): Promise<KvResponse> {
    validateCommand(command);
    this.#admit();
    if (this.#healing.suspicious()) await this.#readAhead(command);
    return this.#replica.proposals.propose(command);
  }

  #admit(): void {
    const { tree, applier } = this.#replica;
    // The leader seals no further while flushes wait, and then the active memtable is what grows.
    const full = (this.#replica.settings?.memtableBytes ?? Infinity) * MAX_SEALED;
    if (
      tree.sealedMemtables > MAX_SEALED || tree.memtableBytes > full || applier.backlog > MAX_BACKLOG || tree.owed().length > MAX_OWED
    ) {
      throw new EtcdError('TOO_MANY_REQUESTS');
    }
  }

  /** What the entry needs is read before it is proposed: unreadable everywhere means DATA_LOSS and no proposal. */
  async #readAhead(command: KvCommand): Promise<void> {
    await this.#sliced((view) => this.#replica.kv.prefetch(view, command));
  }

  /** Runs sliced work over a pinned view; from the start again after a repair. */
  async #sliced<T>(make: (view: ReadView, state: StoreState) => Generator<void, T>): Promise<T> {
    const { tree, env } = this.#replica;
    for (let attempt = 0; ; attempt++) {
      const view = tree.view();
      try {
        const work = make(view, this.#replica.kv.state());
        let step = work.next();
        while (!step.done) {
          const pause = env.workers.breathe();
          if (pause) await pause;
          step = work.next();
        }
        return step.value;
      } catch (error) {
        if (!(error instanceof StorageError) || attempt >= REPAIR_ATTEMPTS) throw error;
        await this.#mend(error);
        for (let wait = this.#replica.servable(); wait; wait = this.#replica.servable()) await wait;
      } finally {
        view.release();
      }
    }
  }

  async #mend(error: StorageError): Promise<void> {
    try {
      await this.#replica.options.hooks.repair(error);
    } catch (cause) {
      // What was asked for in vain is no longer read: the next attempt reads what took its place.
      const { tableId } = error.data;
      if (typeof tableId === 'number' && !this.#isRead(tableId)) return;
      if (codeOf(cause) === 'DATA_LOSS') throw cause;
      throw new EtcdError('UNHEALTHY', messageOf(cause), cause);
    }
  }

  /** By views from now on. */
  #isRead(table: TableId): boolean {
    return this.#replica.tree.materialized.levels.some((level) => level.some(({ id }) => id === table));
  }
}
