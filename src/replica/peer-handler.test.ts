import assert from 'node:assert/strict';
import type { Env } from '../base/env.js';
import type { KintsugiEvent } from '../base/events.js';
import { newMessage } from '../raft/message.js';
import type { Entry, Message } from '../raft/types.js';
import { PeerHandler, type PeerHandlerParts } from './peer-handler.js';
import { MemberState } from './state/testing/member-state.js';
import { raftFrames } from './wire/frame.js';

/** A member that takes part, of which only what it does with Raft messages is looked at. */
function serving(): { handler: PeerHandler; stepped: Message[]; events: KintsugiEvent[]; member: MemberState } {
  const stepped: Message[] = [];
  const events: KintsugiEvent[] = [];
  const member = new MemberState().serve();
  const parts = {
    env: { events: { emit: (event: KintsugiEvent) => void events.push(event) } } as unknown as Env,
    life: member.life,
    driver: { node: { term: 1, commit: 0 }, step: (message: Message) => void stepped.push(message) },
    heard: { note: () => undefined },
  } as unknown as PeerHandlerParts;
  return { handler: new PeerHandler(parts), stepped, events, member };
}

function proposal(entries: readonly Entry[]): Uint8Array {
  const [frame] = raftFrames([Object.assign(newMessage('MsgProp', 2, 1, 0), { entries })], 1 << 20);
  return frame ?? assert.fail('a frame');
}

const entry = (type: Entry['type']): Entry => ({ index: 0, term: 0, type, data: Uint8Array.of(1, 2, 3) });

describe('what peers send', () => {
  it('a proposal of a change of the configuration is not taken from a peer', () => {
    const { handler, stepped, events, member } = serving();
    handler.onFrame(2, proposal([entry('normal'), entry('confChange')]));
    assert.deepEqual(stepped, []);
    assert.deepEqual(events.map(({ type }) => type), ['warning']);
    handler.onFrame(2, proposal([entry('normal')]));
    assert.deepEqual(stepped.map(({ type }) => type), ['MsgProp']);
    assert.deepEqual(member.failures, []);
  });
});
