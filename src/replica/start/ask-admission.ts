/**
 * A member with an intent asks the cluster to be let in as a new one. R5 It asks, and promises
 * nothing under its old id: no vote, no acknowledgement, no campaign. What it has left of log and
 * tables it gives to the others (`left-state.ts`). It goes on until it is let in or told that it
 * never will be; what it is told is durable before it is used, so a question may be asked again at
 * any time, and is answered the same.
 *
 * It never resolves: with another identity on its disk a member is opened anew.
 */

import { assert } from '../../base/assert.js';
import { codeOf, DiskError, messageOf, NetworkError } from '../../base/errors.js';
import { sleep } from '../../base/env.js';
import { formatId, type NodeId } from '../../base/ids.js';
import { ReplicaError } from '../base/errors.js';
import { removedError } from '../base/removed.js';
import { decodeAdmissionAnswer, encodeAdmissionRequest, READMIT_METHOD, type AdmissionAnswer } from '../readmission/call.js';
import { readMendedIntent, writeIntent, type RecoverIntent } from '../readmission/intent.js';
import { mayDo } from '../readmission/rules.js';
import { writeJoined } from '../state/joined.js';
import { untilRoom } from '../state/until-room.js';
import { Membership } from '../state/membership.js';
import { KnownPeers } from '../log-recovery/known-peers.js';
import { giveLeftState } from './left-state.js';
import { membersAtRest } from './members-at-rest.js';
import type { OpeningParts } from './open-state.js';
import { requestTimeoutMs } from './options.js';
import { versionAtRest } from './version-at-rest.js';

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 2_000;
const TELL_MS = 5_000;
/** Then it is opened again: where the others are found may have changed. */
const PATIENCE_MS = 30_000;

export const NOBODY_CAN_ADMIT = 'so many members have lost their promises that no quorum is left: nobody can let them in';

/**
 * Resolves at once if this member has nothing to ask. Rejects with RecoverError, and with
 * ReplicaError: READMISSION to be opened again, REMOVED or WRONG_IDENTITY for good.
 */
export async function askAdmissionFirst(parts: OpeningParts): Promise<void> {
  const intent = await readMendedIntent(parts.options.env);
  if (intent !== undefined && mayDo(intent.stage).asks) await askAdmission(parts, intent);
}

async function askAdmission(parts: OpeningParts, intent: RecoverIntent): Promise<never> {
  const { options, early } = parts;
  assert(mayDo(intent.stage).asks && !mayDo(intent.stage).takesPart, 'R5 a member that asks takes no part');
  refuseOther(parts, intent);
  early.asks();
  await early.listen();
  const known = await peersOnDisk(parts);
  const left = await giveLeftState(options.env, known, early);
  try {
    return await askUntilAdmitted(parts, intent, known);
  } finally {
    await left.close();
  }
}

async function askUntilAdmitted(parts: OpeningParts, intent: RecoverIntent, known: KnownPeers): Promise<never> {
  const { options } = parts;
  const { clock, random } = options.env;
  const told = new Telling(parts, intent);
  const began = clock.now();
  let heardAt = began;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    const answers = new Map<NodeId, AdmissionAnswer | string>();
    for (const peer of known.peers) {
      const answer = await ask(parts, intent, peer, known.isNamed(peer));
      answers.set(peer, answer);
      if (typeof answer === 'string') continue;
      heardAt = clock.now();
      if (answer.says === 'admitted') return admitted(parts, intent, answer);
      if (answer.says === 'removed' && known.isNamed(peer)) throw removedError(options.self, `member ${formatId(peer)} says so`);
    }
    told.say(answers);
    if ([...answers.values()].every((answer) => typeof answer === 'string')) await known.askWho();
    if (clock.now() - heardAt > PATIENCE_MS) {
      throw new ReplicaError('READMISSION', 'no member has answered for a while: it is looked anew where they are found');
    }
    await sleep(clock, pauseMs / 2 + random.below(pauseMs));
  }
}

/**
 * Whom it can ask. All that its flags name may have been replaced since, by members at other
 * places, which its own tables and log know.
 */
async function peersOnDisk({ options, membership }: OpeningParts): Promise<KnownPeers> {
  const { env, self, members, joins, clusterId } = options;
  const known = new KnownPeers(env, membership, clusterId);
  try {
    const { version } = await versionAtRest(env.disk, env.workers);
    const found = version.flushed.index > 0 ? membersAtRest(env.disk, version, new Membership(self, members, joins)) : undefined;
    if (found !== undefined) known.addFromTables(found.members, joins !== undefined && joins.length > 0);
    await known.readLog();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
  return known;
}

/**
 * R5 The identity that this member is opened with is the one that its files show; or the one that
 * it asks for, where it was told that it is let in, and ended before it had written down all of
 * that: then it is told again.
 */
function refuseOther({ options }: OpeningParts, { clusterId, shown, byName, id }: RecoverIntent): void {
  const known = clusterId === 0n || clusterId === options.clusterId;
  if (known && (shown.includes(options.self) || options.self === id || byName)) return;
  throw new ReplicaError('WRONG_IDENTITY',
    `the data directory is to be re-admitted to cluster ${clusterId.toString(16)} in the place of member ${shown.map(formatId).join(', then ')}, ` +
      `but the flags describe member ${formatId(options.self)} of cluster ${options.clusterId.toString(16)}: check --name, --initial-cluster and --initial-cluster-token`);
}

/** A string: why there is no answer. */
async function ask(
  { options, membership }: OpeningParts, intent: RecoverIntent, peer: NodeId, isNamed: boolean,
): Promise<AdmissionAnswer | string> {
  const { env, self, clusterId, members, joins = [] } = options;
  const own = [...members, ...joins].find(({ id }) => id === self);
  const place = intent.byName && own !== undefined ? { name: own.name, peerUrls: own.peerUrls } : undefined;
  const request = encodeAdmissionRequest({ clusterId, id: intent.id, passedOn: false, shown: intent.shown, place });
  try {
    return decodeAdmissionAnswer(await env.network.call(peer, READMIT_METHOD, request, 2 * requestTimeoutMs(options)));
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    if (error instanceof NetworkError && error.code === 'REMOVED' && isNamed) throw removedError(membership.self, `member ${formatId(peer)} says so`);
    return messageOf(error);
  }
}

/** Its new identity first; only then may anything of the old one be touched. */
async function admitted(
  { options }: OpeningParts, intent: RecoverIntent, { description, replaces, past }: Extract<AdmissionAnswer, { says: 'admitted' }>,
): Promise<never> {
  const { env } = options;
  const { disk, events } = env;
  assert(description.clusterId === options.clusterId, `R5 it was let into its own cluster, not into ${description.clusterId.toString(16)}`);
  assert(description.members.list.some(({ id }) => id === intent.id), `R5 member ${formatId(intent.id)} was let in`);
  assert(replaces !== intent.id, 'R1 a new id takes the place of another one');
  // C1 Each waits for room itself: who is asked has this member's connections.
  await untilRoom(env, () => writeJoined(disk, { self: intent.id, description }));
  await untilRoom(env, () => writeIntent(disk, { ...intent, stage: 'admitted', clusterId: description.clusterId, replaces, past }));
  events.emit({ type: 'readmission', stage: 'admitted', to: intent.id, why: replaces === 0 ? 'as a learner' : `in the place of member ${formatId(replaces)}` });
  throw new ReplicaError('READMISSION', `this member is admitted as member ${formatId(intent.id)}: it is opened again under that id`);
}

/** What it waits for, now and then. */
class Telling {
  readonly #parts: OpeningParts;
  readonly #intent: RecoverIntent;
  #at = -Infinity;

  constructor(parts: OpeningParts, intent: RecoverIntent) {
    this.#parts = parts;
    this.#intent = intent;
  }

  say(answers: ReadonlyMap<NodeId, AdmissionAnswer | string>): void {
    const { options, membership } = this.#parts;
    const { clock, events } = options.env;
    if (clock.now() - this.#at < TELL_MS) return;
    this.#at = clock.now();
    const lost = [...answers].filter(([, answer]) => typeof answer !== 'string' && answer.says === 'asks').map(([peer]) => peer);
    const rest = new Set(membership.voters.filter((voter) => voter !== membership.self && !lost.includes(voter)));
    const why = [...answers].map(([peer, answer]) => `${formatId(peer)}: ${wordsOf(answer)}`).join('; ');
    events.emit({ type: 'readmission', stage: 'asks', to: this.#intent.id, why });
    if (lost.length > 0 && !membership.isQuorum(rest)) {
      events.emit({
        type: 'warning', message: NOBODY_CAN_ADMIT,
        data: {
          lost: [membership.self, ...lost].map(formatId), left: rest.size,
          remedy: 'put the newest data directory of one of them back, or, if there is none, choose one to go on from: kintsugi recover --force-new-cluster',
        },
      });
    }
  }
}

function wordsOf(answer: AdmissionAnswer | string): string {
  if (typeof answer === 'string') return answer;
  return answer.says === 'refused' ? answer.why : answer.says === 'asks' ? 'it is to be re-admitted itself' : answer.says;
}
