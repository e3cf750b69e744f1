/** How transcripts put what passes between nodes: an entry is written index@term. */

import { fromUtf8 } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import { decodeConfChange } from '../confchange-codec.js';
import type { ConfChange, ConfChangeSingle, ConfState, Entry, Message, Snapshot, Status } from '../types.js';

const CHANGES: Record<ConfChangeSingle['type'], string> = {
  addVoter: 'add voter',
  addLearner: 'add learner',
  remove: 'remove',
  update: 'update',
};

export function changeText({ changes, transition }: ConfChange): string {
  if (changes.length === 0 && transition === 'auto') return 'leave the joint configuration';
  const all = changes.map(({ type, nodeId }) => `${CHANGES[type]} ${nodeId}`).join(', ');
  return transition === 'auto' ? all : `${all} (${transition})`;
}

function payloadText(data: Uint8Array): string {
  return data.length === 0 ? 'empty' : JSON.stringify(fromUtf8(data));
}

export function entryText({ index, term, type, data }: Entry): string {
  return `${index}@${term} ${type === 'confChange' ? changeText(decodeConfChange(data)) : payloadText(data)}`;
}

export function entriesText(entries: readonly Entry[]): string {
  return entries.map(entryText).join(', ');
}

export function configText({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): string {
  const ids = (list: readonly NodeId[]): string => list.join(' ');
  let text = `voters ${ids(voters)}`;
  if (votersOutgoing.length > 0) text += ` joint with ${ids(votersOutgoing)}${autoLeave ? ', left automatically' : ''}`;
  if (learners.length > 0) text += `, learners ${ids(learners)}`;
  if (learnersNext.length > 0) text += `, learners afterwards ${ids(learnersNext)}`;
  return text;
}

export function snapshotText({ metadata }: Snapshot): string {
  return `snapshot ${metadata.index}@${metadata.term} of ${configText(metadata.confState)}`;
}

export function roleText({ lead, role }: Pick<Status, 'lead' | 'role'>, term: number): string {
  switch (role) {
    case 'leader':
      return `leads term ${term}`;
    case 'candidate':
      return `is a candidate in term ${term}`;
    case 'preCandidate':
      return `is a pre-candidate, still in term ${term}`;
    default:
      return lead === 0 ? `is a follower without a leader in term ${term}` : `follows ${lead} in term ${term}`;
  }
}

export function messageText(message: Message): string {
  const { from, to, type, term } = message;
  const told = contentText(message);
  return `${from}->${to} ${type}${term === 0 ? '' : ` term ${term}`}${told === '' ? '' : `, ${told}`}`;
}

function contentText(message: Message): string {
  const { type, index, logTerm, entries, commit, reject, rejectHint, round, snapshot, context, force } = message;
  switch (type) {
    case 'MsgApp':
      return `commit ${commit}, after ${index}@${logTerm}: ${entries.length === 0 ? 'nothing new' : entriesText(entries)}`;
    case 'MsgAppResp':
      return reject ? `has no such ${index}, but ${rejectHint}@${logTerm}` : `has ${index}`;
    case 'MsgVote':
    case 'MsgPreVote':
      return `log ends at ${index}@${logTerm}${force ? ', asked for by the leader' : ''}`;
    case 'MsgVoteResp':
    case 'MsgPreVoteResp':
      return reject ? 'no' : 'yes';
    case 'MsgSnap':
      return snapshot === undefined ? '' : snapshotText(snapshot);
    case 'MsgHeartbeat':
      return `commit ${commit}, round ${round}`;
    case 'MsgHeartbeatResp':
      return `round ${round}`;
    case 'MsgProp':
      return entries.map(({ data, type: kind }) => (kind === 'normal' ? payloadText(data) : changeText(decodeConfChange(data)))).join(', ');
    case 'MsgReadIndex':
      return payloadText(context);
    case 'MsgReadIndexResp':
      return `${payloadText(context)} at ${index}`;
    default:
      return '';
  }
}

export function statusLines({ id, role, term, vote, lead, commit, applied, config, progress }: Status): string[] {
  const lines = [
    `${id} ${roleText({ lead, role }, term)}, vote ${vote}, commit ${commit}, applied ${applied}, ${configText(config)}`,
  ];
  for (const [peer, { state, match, next, isLearner, paused, pendingSnapshot }] of progress ?? []) {
    if (peer === id) continue;
    const notes = [
      isLearner ? ', learner' : '',
      paused ? ', paused' : '',
      pendingSnapshot > 0 ? `, snapshot ${pendingSnapshot} on its way` : '',
    ];
    lines.push(`  ${peer} ${state}, match ${match}, next ${next}${notes.join('')}`);
  }
  return lines;
}
