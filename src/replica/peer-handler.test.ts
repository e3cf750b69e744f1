import assert from 'node:assert/strict';
import type { Env } from '../base/env.js';
import type { KintsugiEvent } from '../base/events.js';
import { newMessage } from '../raft/message.js';
import type { Entry, Message } from '../raft/types.js';
import { encodeClusterVersion, encodeKv, encodeTreeOp } from './entry/entry.js';
import { sealed } from './entry/testing/sealed.js';
import { put } from '../api/testing/requests.js';
import { PeerHandler, type PeerHandlerParts } from './peer-handler.js';
import { MemberState } from './state/testing/member-state.js';
import { FRAME_GOSSIP, FRAME_REDO, FRAME_REPORT, raftFrames } from './wire/frame.js';

/** A member that takes part, of which only what it does with Raft messages is looked at. */
function serving(): { handler: PeerHandler; stepped: Message[]; events: KintsugiEvent[]; member: MemberState } {
  const stepped: Message[] = [];
  const events: KintsugiEvent[] = [];
  const member = new MemberState().serve();
  const parts = {
    env: { events: { emit: (event: KintsugiEvent) => void events.push(event) } } as unknown as Env,
    life: member.life,
    membership: member.membership,
    driver: { node: { term: 1, commit: 0 }, step: (message: Message) => void stepped.push(message) },
    promises: { heard: { note: () => undefined } },
    gossip: { heard: () => assert.fail('it is refused') },
    state: { version: 2 },
    machine: { onReport: () => assert.fail('it is refused'), onRedo: () => assert.fail('it is refused') },
  } as unknown as PeerHandlerParts;
  return { handler: new PeerHandler(parts), stepped, events, member };
}

function frameOf(type: 'MsgProp' | 'MsgApp', entries: readonly Entry[]): Uint8Array {
  const [frame] = raftFrames([Object.assign(newMessage(type, 2, 1, type === 'MsgProp' ? 0 : 1), { entries })], 1 << 20);
  return frame?.bytes ?? assert.fail('a frame');
}

const KV = encodeKv({ member: 2, incarnation: 1, sequence: 1 }, { kind: 'put', request: put('k', 'v') });

function flipped(data: Uint8Array): Uint8Array {
  const bad = data.slice();
  bad[8] = (bad[8] as number) ^ 16;
  return bad;
}

/** As it stands in a message of that kind. */
function entry(type: 'MsgProp' | 'MsgApp', data: Uint8Array, kind: Entry['type'] = 'normal'): Entry {
  return type === 'MsgProp' ? { index: 0, term: 0, type: kind, data } : { index: 1, term: 1, type: kind, data };
}

describe('what peers send', () => {
  it('S1 a proposal is read before it is taken: what nobody could carry out would stop all members', () => {
    const { handler, stepped, events, member } = serving();
    const refused = [
      entry('MsgProp', KV, 'confChange'), entry('MsgProp', flipped(KV)), entry('MsgProp', new Uint8Array(0)), entry('MsgProp', sealed(99, 1)),
      entry('MsgProp', sealed(2, 1)), entry('MsgProp', encodeClusterVersion(9)), entry('MsgProp', encodeTreeOp({ kind: 'abandon', plan: 3 })),
    ];
    for (const bad of refused) handler.onFrame(2, frameOf('MsgProp', [entry('MsgProp', KV), bad]));
    assert.deepEqual(stepped, []);
    assert.deepEqual(events.map(({ type }) => type), refused.map(() => 'warning'));
    handler.onFrame(2, frameOf('MsgProp', [entry('MsgProp', KV)]));
    assert.deepEqual(stepped.map(({ type }) => type), ['MsgProp']);
    assert.deepEqual(member.failures, []);
  });

  it('S1 an entry that was damaged on its way is not appended; one of a later kind is: its leader may write it', () => {
    const { handler, stepped, events, member } = serving();
    handler.onFrame(2, frameOf('MsgApp', [entry('MsgApp', flipped(KV))]));
    assert.deepEqual([stepped.length, events.length], [0, 1]);
    for (const data of [KV, new Uint8Array(0), sealed(99, 1)]) handler.onFrame(2, frameOf('MsgApp', [entry('MsgApp', data)]));
    handler.onFrame(2, frameOf('MsgApp', [entry('MsgApp', new Uint8Array(0), 'confChange')]));
    handler.onFrame(2, frameOf('MsgApp', [entry('MsgApp', KV, 'confChange')]));
    assert.deepEqual([stepped.length, events.length], [4, 2], 'what leaves a joint configuration is empty');
    assert.deepEqual(member.failures, []);
  });

  it('a frame of a format that is not known is refused, and nothing else', () => {
    const { handler, events, member } = serving();
    for (const kind of [FRAME_GOSSIP, FRAME_REPORT, FRAME_REDO]) handler.onFrame(2, Uint8Array.of(kind, 9, 1, 1, 1));
    assert.equal(events.length, 3);
    assert.deepEqual(member.failures, []);
  });
});
