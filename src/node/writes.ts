/** A write on its way into the log: what is refused, and read, before it is proposed. */

import type { Caller } from '../api/caller.js';
import { EtcdError } from '../api/etcd-error.js';
import type { Healing } from '../healing/healing.js';
import type { KvCommand, KvResponse } from '../replica/kv/command.js';
import { leasesWrittenBy } from '../replica/kv/replicated-state.js';
import { validateCommand } from '../replica/kv/validate.js';
import type { Replica } from '../replica/replica.js';
import type { AuthControl } from './auth-control.js';

export class Writes {
  readonly #replica: Replica;
  readonly #healing: Pick<Healing, 'anyBlockLost'>;
  readonly #auth: AuthControl;

  constructor(replica: Replica, healing: Pick<Healing, 'anyBlockLost'>, auth: AuthControl) {
    this.#replica = replica;
    this.#healing = healing;
    this.#auth = auth;
  }

  /** This member has no vote, or does not know yet that it has one: it may be far behind. */
  get isLearner(): boolean {
    const { membership } = this.#replica;
    const standing = membership.standing(membership.self);
    return standing === 'learner' || standing === 'none';
  }

  refuseLearner(): void {
    if (this.isLearner) throw new EtcdError('LEARNER');
  }

  /** Resolves when it is applied here, in the caller's name. Rejects with EtcdError. */
  async propose<Kind extends KvCommand['kind']>(
    command: Extract<KvCommand, { kind: Kind }>, caller: Caller | undefined,
  ): Promise<Extract<KvResponse, { kind: Kind }>> {
    const { state, reads, options } = this.#replica;
    validateCommand(command, options.maxTxnOps);
    this.refuseLearner();
    if (caller !== undefined) caller.checked = true;
    // It would be refused when it is applied: until then it would take space in the log.
    const refusal = state.access.enabled ? await this.#authRefusal(command, caller) : state.alarms.refusalOf(command);
    if (refusal !== undefined) throw refusal;
    // What applying needs is read first: better this request fails than apply.
    if (this.#healing.anyBlockLost()) await reads.prefetch(command);
    return (await this.#auth.propose(command, caller)) as Extract<KvResponse, { kind: Kind }>;
  }

  /** This member may be behind: what it would refuse is looked at again as of now. */
  async #authRefusal(command: KvCommand, caller: Caller | undefined): Promise<EtcdError | undefined> {
    await this.#auth.catchUp(caller);
    const refusal = await this.#refusalNow(command, caller);
    if (refusal === undefined) return undefined;
    await this.#replica.reads.confirm();
    return this.#refusalNow(command, caller);
  }

  /** What hangs on a lease is read as all is that is read: a block that is bad is mended. */
  #refusalNow(command: KvCommand, caller: Caller | undefined): EtcdError | undefined | Promise<EtcdError | undefined> {
    const { state, reads, env } = this.#replica;
    const { access } = state;
    if (leasesWrittenBy(command).size === 0) return state.refusalOf(command, access.principalOf(caller), env.workers);
    return reads.local((view) => state.refusalIn(view, command, access.principalOf(caller)));
  }
}
