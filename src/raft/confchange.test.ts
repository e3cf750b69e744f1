import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codeOf } from '../base/errors.js';
import { decodeConfChange, encodeConfChange } from './confchange-codec.js';
import { changeConfig, EMPTY_CONF_STATE } from './confchange.js';
import { majorityVote, jointVote } from './quorum.js';
import { Group } from './testing/group.js';
import { logOf } from './testing/memory-log.js';
import type { ConfChange, ConfState } from './types.js';

const single = fc
  .tuple(fc.constantFrom('addVoter' as const, 'addLearner' as const, 'remove' as const, 'update' as const), fc.nat(6))
  .map(([type, nodeId]) => ({ type, nodeId }));

const change: fc.Arbitrary<ConfChange> = fc
  .tuple(fc.constantFrom('auto' as const, 'implicit' as const, 'explicit' as const), fc.array(single, { maxLength: 4 }))
  .map(([transition, changes]) => ({ transition, changes }));

const add = (nodeId: number): ConfChange => ({ transition: 'auto', changes: [{ type: 'addVoter', nodeId }] });

function wins(config: ConfState, yes: ReadonlySet<number>): boolean {
  const half = (ids: readonly number[]) => {
    const count = ids.filter((id) => yes.has(id)).length;
    return majorityVote(ids.length, count, ids.length - count);
  };
  return jointVote(half(config.voters), half(config.votersOutgoing)) === 'won';
}

describe('raft configuration changes', () => {
  it('come back from their encoding, and noise is refused with CodecError', () => {
    fc.assert(fc.property(change, (c) => assert.deepEqual(decodeConfChange(encodeConfChange(c)), c)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (noise) => {
        try {
          decodeConfChange(noise);
        } catch (error) {
          assert.equal(codeOf(error), 'CODEC');
        }
      }),
    );
  });

  it('R1 a configuration and its successor cannot decide independently', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        let config = changeConfig(EMPTY_CONF_STATE, add(1));
        for (const next of changes) {
          let after: ConfState;
          try {
            after = changeConfig(config, next);
          } catch (error) {
            assert.equal(codeOf(error), 'INVALID_CONF_CHANGE');
            continue;
          }
          // Every way to split seven nodes in two: not both sides may win, each in its
          // configuration.
          for (let mask = 0; mask < 128; mask++) {
            const left = new Set([0, 1, 2, 3, 4, 5, 6].filter((id) => mask & (1 << id)));
            const right = new Set([0, 1, 2, 3, 4, 5, 6].filter((id) => !(mask & (1 << id))));
            assert.ok(!(wins(config, left) && wins(after, right)), JSON.stringify({ config, after }));
          }
          config = after;
        }
      }),
      { numRuns: 50 },
    );
  });

  it('one at a time: a second change enters the log as an empty entry', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.lose = () => true;
    group.node(1).proposeConfChange(add(4));
    group.node(1).proposeConfChange(add(5));
    group.pump(1);
    const entries = group.member(1).storage.all.slice(-2).map((e) => [e.type, e.data.length > 0]);
    assert.deepEqual(entries, [['confChange', true], ['normal', false]]);
  });

  it('a change that could not be applied is refused when it is proposed', () => {
    const group = new Group([1]);
    group.elect(1);
    group.node(1).proposeConfChange({ transition: 'auto', changes: [{ type: 'remove', nodeId: 1 }] });
    group.settle();
    assert.deepEqual(group.node(1).config.voters, [1]);
  });

  it('a node that restarts in a joint configuration acts by it', () => {
    const joint = { voters: [1, 4], votersOutgoing: [1, 2, 3], learnersNext: [3] };
    const group = new Group([1], {}, { 1: logOf([1], joint) });
    assert.deepEqual(group.node(1).config, { ...EMPTY_CONF_STATE, ...joint });
    group.node(1).campaign();
    group.pump(1);
    assert.deepEqual(group.sentOf('MsgVote').map((m) => m.to), [2, 3, 4]);
  });

  it('a joint configuration is left although leadership was being handed over when it was applied', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.node(1).proposeConfChange({ transition: 'implicit', changes: [{ type: 'addLearner', nodeId: 3 }] });
    group.lose = (m) => m.type === 'MsgTimeoutNow';
    group.node(1).transferLeader(2);
    group.settle();
    assert.deepEqual(group.node(1).config.votersOutgoing, [1, 2, 3]);
    group.node(1).transferLeader(1);
    group.node(1).propose(new Uint8Array(1));
    group.settle();
    assert.deepEqual(group.node(1).config, { ...EMPTY_CONF_STATE, voters: [1, 2], learners: [3] });
  });
});
