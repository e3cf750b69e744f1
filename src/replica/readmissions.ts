/**
 * Re-admission while a member serves. For others: whoever leads lets one in that cannot know what
 * it has promised, through the log, as a learner (`member-changes.ts`). For itself, once it was let
 * in: when it has caught up it asks for the vote of the member that it was before.
 */

import type { Env } from '../base/env.js';
import { codeOf, messageOf } from '../base/errors.js';
import { formatId } from '../base/ids.js';
import { EtcdError } from '../api/etcd-error.js';
import type { RaftDriver } from './consensus/raft-driver.js';
import type { MemberChanges } from './member-changes.js';
import {
  decodeAdmissionRequest, encodeAdmissionAnswer, encodeAdmissionRequest, READMIT_METHOD, type AdmissionAnswer, type AdmissionRequest,
} from './readmission/call.js';
import { removeIntent, type RecoverIntent } from './readmission/intent.js';
import { nextStep, placeOf, whoWas } from './readmission/rules.js';
import { dropAside } from './readmission/set-aside.js';
import type { Leadership } from './state/leadership.js';
import type { Life } from './state/life.js';
import type { Membership } from './state/membership.js';
import type { Progress } from './state/progress.js';

export interface ReadmissionsParts {
  readonly env: Env;
  readonly life: Life;
  readonly clusterId: bigint;
  readonly membership: Membership;
  readonly leadership: Leadership;
  readonly progress: Progress;
  readonly driver: RaftDriver;
  readonly changes: MemberChanges;
  readonly timeoutMs: number;
  /** Of this member, if it comes back itself. */
  readonly intent: RecoverIntent | undefined;
}

export const ORPHANED = 'the member that this one was before was removed by somebody else: it stays a learner. Promote it, or remove it';

const TELL_MS = 2_000;

export class Readmissions {
  readonly #parts: ReadmissionsParts;
  /** Undefined: nothing is left to do. */
  #intent: RecoverIntent | undefined;
  #busy = false;
  /** What it last said, and when. */
  #told = '';
  #toldAt = -Infinity;

  constructor(parts: ReadmissionsParts) {
    this.#parts = parts;
    this.#intent = parts.intent;
  }

  /** What is left of this member's own; undefined: nothing. */
  get pending(): RecoverIntent | undefined {
    return this.#intent;
  }

  /** Rejects with CodecError. */
  async answer(bytes: Uint8Array): Promise<Uint8Array> {
    const { env, membership, leadership, timeoutMs } = this.#parts;
    const request = decodeAdmissionRequest(bytes);
    const { leader } = leadership;
    if (leader !== 0 && leader !== membership.self && !request.passedOn) {
      return env.network.call(leader, READMIT_METHOD, encodeAdmissionRequest({ ...request, passedOn: true }), timeoutMs);
    }
    return encodeAdmissionAnswer(await this.#decide(request));
  }

  async #decide(request: AdmissionRequest): Promise<AdmissionAnswer> {
    const { clusterId, membership, leadership, changes, driver } = this.#parts;
    if (request.clusterId !== clusterId) return refused('OTHER_CLUSTER', `this is cluster ${clusterId.toString(16)}`);
    // What it knows of the members is the newest only once it has applied an entry of its own term.
    if (!leadership.mayShapeTree) return refused(leadership.leader === 0 ? 'NO_LEADER' : 'NOT_LEADER', 'nobody is known to lead');
    const { applied } = membership;
    const of = whoWas(applied, request);
    if (applied.removed.includes(request.id)) return { says: 'removed' };
    if (of === 0 && !applied.list.some(({ id }) => id === request.id)) {
      if (request.shown.some((id) => applied.removed.includes(id))) return { says: 'removed' };
      return refused('MEMBER_NOT_FOUND', 'no member has the id, or the name and the peer URL, that it shows');
    }
    try {
      const members = await changes.change({ kind: 'readmit', id: request.id, of, dropped: [] });
      return { says: 'admitted', replaces: placeOf(members, request, request.id), past: driver.node.commit, description: { clusterId, members } };
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return refused(error.code, error.wireMessage);
    }
  }

  /** Called each second. */
  tick(): void {
    const { life, membership, progress, leadership } = this.#parts;
    const intent = this.#intent;
    if (intent === undefined || this.#busy || !life.serving) return;
    const { value: applied } = progress.applied;
    switch (nextStep(membership.applied, intent, applied)) {
      case 'wait':
        return this.#tell(intent, applied < intent.past ? `it has applied ${applied} of ${intent.past} entries` : 'it waits until the log says that it is a member');
      case 'orphaned':
        return this.#tell(intent, ORPHANED);
      case 'replace':
        if (leadership.leader === 0) return this.#tell(intent, 'it has caught up, and waits for a leader');
        return this.#run(intent, () => this.#takePlace(intent));
      case 'over':
        return this.#run(intent, () => this.#end(intent));
    }
  }

  #run(intent: RecoverIntent, work: () => Promise<void>): void {
    this.#busy = true;
    work()
      .catch((error: unknown) => {
        if (codeOf(error) === undefined) return this.#parts.life.fail(error);
        this.#tell(intent, messageOf(error));
      })
      .finally(() => (this.#busy = false));
  }

  async #takePlace({ id, replaces }: RecoverIntent): Promise<void> {
    await this.#parts.changes.change({ kind: 'replace', id, removed: replaces });
  }

  /** The membership is in the log that a quorum holds: what was set aside is of no use any more. */
  async #end(intent: RecoverIntent): Promise<void> {
    const { env } = this.#parts;
    await dropAside(env.disk);
    await removeIntent(env.disk);
    this.#intent = undefined;
    env.events.emit({ type: 'readmission', stage: 'over', to: intent.id, why: `it has taken the place of ${placeName(intent)}` });
  }

  #tell({ id }: RecoverIntent, why: string): void {
    const { clock, events } = this.#parts.env;
    if (this.#told === why && clock.now() - this.#toldAt < 5 * TELL_MS) return;
    if (clock.now() - this.#toldAt < TELL_MS) return;
    this.#told = why;
    this.#toldAt = clock.now();
    events.emit({ type: 'readmission', stage: 'begun', to: id, why });
  }
}

function placeName({ replaces, shown }: RecoverIntent): string {
  const of = replaces === 0 ? shown.at(-1) : replaces;
  return of === undefined ? 'the one that it was' : `member ${formatId(of)}`;
}

function refused(code: string, why: string): AdmissionAnswer {
  return { says: 'refused', code, why };
}
