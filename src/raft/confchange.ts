/**
 * The rules by which configurations change, as pure functions: configuration in, configuration out,
 * or a refusal that leaves everything as it was.
 *
 * R1 and R3 hold across a change only if the old and the new configuration cannot decide
 * independently. One voter more or less keeps any two majorities overlapping (thesis, 4.1);
 * everything else goes through a joint configuration in which both must agree (thesis, 4.3).
 */

import { assert } from '../base/assert.js';
import type { NodeId } from '../base/ids.js';
import { RaftError } from './errors.js';
import type { ConfChange, ConfChangeSingle, ConfState } from './types.js';

export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

function isJoint(config: ConfState): boolean {
  return config.votersOutgoing.length > 0;
}

/** Whether this change asks to leave the joint configuration. */
function leavesJoint(change: ConfChange): boolean {
  return change.transition === 'auto' && change.changes.length === 0;
}

/** What a committed change makes of the configuration. Throws INVALID_CONF_CHANGE. */
export function changeConfig(config: ConfState, change: ConfChange): ConfState {
  if (leavesJoint(change)) return leaveJoint(config);
  if (change.transition !== 'auto' || change.changes.length > 1) {
    return enterJoint(config, change.transition !== 'explicit', change.changes);
  }
  return simpleChange(config, change.changes);
}

/** Changes at most one voter, without a joint configuration. */
export function simpleChange(config: ConfState, changes: readonly ConfChangeSingle[]): ConfState {
  if (isJoint(config)) refuse('a simple change is not possible in a joint configuration');
  const draft = new Draft(config);
  draft.applyAll(changes);
  if (difference(config.voters, draft.voters) > 1) refuse('more than one voter changes outside a joint configuration');
  return draft.finish(false);
}

export function enterJoint(config: ConfState, autoLeave: boolean, changes: readonly ConfChangeSingle[]): ConfState {
  if (isJoint(config)) refuse('the configuration is joint already');
  if (config.voters.length === 0) refuse('a configuration without voters cannot become joint');
  const draft = new Draft(config);
  for (const id of config.voters) draft.outgoing.add(id);
  draft.applyAll(changes);
  assert(draft.outgoing.size === config.voters.length, 'R1 all voters keep their say until the joint configuration is left');
  return draft.finish(autoLeave);
}

export function leaveJoint(config: ConfState): ConfState {
  if (!isJoint(config)) refuse('the configuration is not joint');
  const draft = new Draft(config);
  for (const id of config.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  draft.outgoing.clear();
  assert(draft.voters.size === config.voters.length, 'R1 to leave a joint configuration changes no incoming voter');
  return draft.finish(false);
}

function refuse(message: string): never {
  throw new RaftError('INVALID_CONF_CHANGE', message);
}

/** A configuration while it is being changed. */
class Draft {
  readonly voters: Set<NodeId>;
  readonly outgoing: Set<NodeId>;
  readonly learners: Set<NodeId>;
  readonly learnersNext: Set<NodeId>;

  constructor(from: ConfState) {
    this.voters = new Set(from.voters);
    this.outgoing = new Set(from.votersOutgoing);
    this.learners = new Set(from.learners);
    this.learnersNext = new Set(from.learnersNext);
  }

  applyAll(changes: readonly ConfChangeSingle[]): void {
    for (const { type, nodeId } of changes) {
      if (nodeId === 0) continue;
      if (type === 'addVoter') this.#addVoter(nodeId);
      else if (type === 'addLearner') this.#addLearner(nodeId);
      else if (type === 'remove') this.#remove(nodeId);
    }
    if (this.voters.size === 0) refuse('no voter would be left');
  }

  #addVoter(id: NodeId): void {
    this.#remove(id);
    this.voters.add(id);
  }

  /**
   * A node that still votes in the outgoing half cannot be a learner yet: the sets must not
   * overlap.
   */
  #addLearner(id: NodeId): void {
    this.#remove(id);
    if (this.outgoing.has(id)) this.learnersNext.add(id);
    else this.learners.add(id);
  }

  #remove(id: NodeId): void {
    this.voters.delete(id);
    this.learners.delete(id);
    this.learnersNext.delete(id);
  }

  finish(autoLeave: boolean): ConfState {
    assert(this.voters.size > 0, 'R1 a configuration has a voter');
    return checkConfState({
      voters: sorted(this.voters),
      votersOutgoing: sorted(this.outgoing),
      learners: sorted(this.learners),
      learnersNext: sorted(this.learnersNext),
      autoLeave,
    });
  }
}

/**
 * A configuration from outside, in order: lists sorted. Asserts what every configuration must
 * satisfy.
 */
export function normalConfState(config: ConfState): ConfState {
  return checkConfState({
    voters: sorted(config.voters),
    votersOutgoing: sorted(config.votersOutgoing),
    learners: sorted(config.learners),
    learnersNext: sorted(config.learnersNext),
    autoLeave: config.autoLeave,
  });
}

function checkConfState(config: ConfState): ConfState {
  const { voters, votersOutgoing, learners, learnersNext } = config;
  for (const id of learners) {
    assert(!voters.includes(id) && !votersOutgoing.includes(id), `node ${id} is a learner or a voter, not both`);
  }
  for (const id of learnersNext) {
    assert(votersOutgoing.includes(id) && !voters.includes(id), `future learner ${id} is an outgoing voter`);
  }
  assert(isJoint(config) || !config.autoLeave, 'only a joint configuration is left automatically');
  return config;
}

/** Of two in order. */
export function isSameConfig(a: ConfState, b: ConfState): boolean {
  const same = (x: readonly NodeId[], y: readonly NodeId[]): boolean => x.length === y.length && x.every((id, i) => id === y[i]);
  const voters = same(a.voters, b.voters) && same(a.votersOutgoing, b.votersOutgoing);
  return voters && same(a.learners, b.learners) && same(a.learnersNext, b.learnersNext) && a.autoLeave === b.autoLeave;
}

function sorted(ids: Iterable<NodeId>): NodeId[] {
  return [...new Set(ids)].sort((a, b) => a - b);
}

/** How many ids are in one of the sets but not in both. */
function difference(a: readonly NodeId[], b: ReadonlySet<NodeId>): number {
  let shared = 0;
  for (const id of a) if (b.has(id)) shared++;
  return a.length + b.size - 2 * shared;
}
