import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codeOf } from '../base/errors.js';
import { newMessage } from './message.js';
import { decodeMessages } from './message-codec.js';
import { encodeMessages } from './testing/encode-messages.js';
import type { ConfState, Entry, Message, MessageType, Snapshot } from './types.js';

const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const positive = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.maxSafeNat().map((n) => Math.max(1, n)));
const bytes = fc.uint8Array({ maxLength: 40 });

const confState: fc.Arbitrary<ConfState> = fc
  .record({ ids: fc.uniqueArray(positive, { minLength: 4, maxLength: 12 }), joint: fc.boolean(), auto: fc.boolean() })
  .map(({ ids, joint, auto }) => {
    const part = (n: number) => ids.filter((_, i) => i % 4 === n).sort((a, b) => a - b);
    const outgoing = joint ? [...part(0), ...part(1)].sort((a, b) => a - b) : [];
    const learnersNext = joint ? part(1) : [];
    return { voters: part(0), votersOutgoing: outgoing, learners: part(2), learnersNext, autoLeave: joint && auto };
  });

const entries = (term: number, from: number): fc.Arbitrary<Entry[]> =>
  fc
    .array(fc.record({ data: bytes, conf: fc.boolean(), raise: fc.boolean() }), { maxLength: 6 })
    .map((list) => {
      let at = 1;
      return list.map(({ data, conf, raise }, i) => {
        if (raise) at = Math.min(term, at + 1);
        return { term: at, index: from + 1 + i, type: conf ? ('confChange' as const) : ('normal' as const), data };
      });
    });

function build(type: MessageType, term: number, fields: Partial<Message>): fc.Arbitrary<Message> {
  return fc.tuple(positive, positive).map(([from, to]) => Object.assign(newMessage(type, from, to, term), fields));
}

const append = fc
  .record({ term: fc.integer({ min: 2, max: 1e9 }), index: fc.oneof(fc.nat(9), fc.nat(2 ** 50)), commit: number })
  .chain(({ term, index, commit }) =>
    entries(term, index).chain((list) => build('MsgApp', term, { index, logTerm: 1, commit, entries: list })),
  );

const proposal = fc
  .array(bytes, { minLength: 1, maxLength: 5 })
  .chain((list) =>
    build('MsgProp', 0, { entries: list.map((data) => ({ term: 0, index: 0, type: 'normal' as const, data })) }),
  );

const snapshot = fc
  .record({ index: positive, confState, data: fc.option(bytes, { nil: undefined }) })
  .chain(({ index, confState: conf, data }) => {
    const made: Snapshot = { metadata: { index, term: 3, confState: conf }, data };
    return build('MsgSnap', 7, { snapshot: made });
  });

const plain = fc
  .record({
    type: fc.constantFrom<MessageType>('MsgAppResp', 'MsgHeartbeat', 'MsgHeartbeatResp', 'MsgVoteResp', 'MsgPreVoteResp'),
    term: positive,
    index: number,
    logTerm: number,
    commit: number,
    round: number,
    reject: fc.boolean(),
    rejectHint: number,
  })
  .chain(({ type, term, reject, rejectHint, ...fields }) => {
    const refused = reject && type.endsWith('Resp');
    return build(type, term, { ...fields, reject: refused, rejectHint: refused ? rejectHint : 0 });
  });

const vote = fc
  .record({ term: positive, index: number, logTerm: number, force: fc.boolean() })
  .chain(({ term, ...fields }) => build('MsgVote', term, fields));

const read = bytes.chain((context) => build('MsgReadIndex', 0, { context }));

const batch = fc.array(fc.oneof(append, proposal, snapshot, plain, vote, read), { maxLength: 6 });

describe('raft message codec', () => {
  it('gives back what was encoded', () => {
    fc.assert(
      fc.property(batch, (messages) => {
        assert.deepEqual(decodeMessages(encodeMessages(messages)), messages);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses flipped and truncated bytes with CodecError, or decodes something sound', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(batch, damage, fc.option(fc.nat(), { nil: undefined }), (messages, flips, cut) => {
        let encoded = encodeMessages(messages).slice();
        for (const [at, mask] of flips) encoded[at % encoded.length]! ^= mask;
        if (cut !== undefined) encoded = encoded.subarray(0, cut % (encoded.length + 1));
        let decoded: Message[];
        try {
          decoded = decodeMessages(encoded);
        } catch (error) {
          assert.equal(codeOf(error), 'CODEC', String(error));
          return;
        }
        for (const message of decoded) assertSound(message);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        if (noise.length > 0) noise[0] = 1;
        try {
          for (const message of decodeMessages(noise)) assertSound(message);
        } catch (error) {
          assert.equal(codeOf(error), 'CODEC', String(error));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('hands out payloads as views of the input', () => {
    const message = newMessage('MsgProp', 1, 2, 0);
    message.entries = [{ term: 0, index: 0, type: 'normal', data: new Uint8Array([1, 2, 3]) }];
    const encoded = encodeMessages([message]);
    const [decoded] = decodeMessages(encoded);
    assert.equal(decoded?.entries[0]?.data.buffer, encoded.buffer);
  });

  it('spends two bytes on an entry besides its payload', () => {
    const message = newMessage('MsgApp', 1, 2, 9);
    message.index = 1000;
    message.logTerm = 9;
    const without = encodeMessages([message]).length;
    message.entries = Array.from({ length: 64 }, (_, i) => {
      return { term: 9, index: 1001 + i, type: 'normal' as const, data: new Uint8Array(100) };
    });
    assert.equal(encodeMessages([message]).length - without, 1 + 64 * 102);
  });

  it('R3 refuses an append whose entries leave a gap or whose terms go back', () => {
    const message = newMessage('MsgApp', 1, 2, 9);
    message.index = 5;
    message.logTerm = 4;
    const entry = (term: number, index: number): Entry => ({ term, index, type: 'normal', data: new Uint8Array(1) });
    for (const bad of [[entry(4, 7)], [entry(5, 6), entry(4, 7)], [entry(10, 6)], [entry(3, 6)]]) {
      message.entries = bad;
      assert.throws(() => decodeMessages(encodeMessages([message])), { code: 'CODEC' });
    }
    message.entries = [entry(4, 6), entry(9, 7)];
    assert.equal(decodeMessages(encodeMessages([message])).length, 1);
  });

  it('R1 refuses a snapshot whose configuration cannot be', () => {
    const sound: ConfState = { voters: [1, 2], votersOutgoing: [], learners: [3], learnersNext: [], autoLeave: false };
    const decode = (confState: ConfState) => {
      const message = newMessage('MsgSnap', 1, 2, 3);
      message.snapshot = { metadata: { index: 1, term: 1, confState }, data: undefined };
      return decodeMessages(encodeMessages([message]));
    };
    assert.equal(decode(sound).length, 1);
    const bad: Partial<ConfState>[] = [
      { voters: [] }, { voters: [2, 1] }, { voters: [1, 1] }, { learners: [2] }, { learnersNext: [4] }, { autoLeave: true },
    ];
    for (const change of bad) assert.throws(() => decode({ ...sound, ...change }), { code: 'CODEC' }, JSON.stringify(change));
  });

  it('refuses to encode a message to storage', () => {
    assert.throws(() => encodeMessages([newMessage('MsgStorageAppend', 1, 2, 0)]), /never leaves its node/);
  });
});

/** What the handlers rely on. */
function assertSound(message: Message): void {
  assert.ok(!message.type.startsWith('MsgStorage'));
  assert.ok(message.from > 0 && message.to > 0);
  assert.equal(message.snapshot !== undefined, message.type === 'MsgSnap');
  if (message.type !== 'MsgApp') return;
  message.entries.forEach((entry, i) => {
    assert.equal(entry.index, message.index + 1 + i);
    assert.ok(entry.term >= (i === 0 ? message.logTerm : message.entries[i - 1]!.term) && entry.term <= message.term);
  });
}
