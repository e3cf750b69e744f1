import assert from 'node:assert/strict';
import { codeOf } from '../../base/errors.js';
import { encodeConfChange } from '../../raft/confchange-codec.js';
import type { MemberChange } from '../state/members.js';
import { isCopySound } from './entry.js';
import { decodeMemberEntry, memberConfChange, type MemberEntry } from './member-entry.js';

const BASE = [1, 2, 3].map((id) => ({ id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] }));
const CHANGES: readonly MemberChange[] = [
  { kind: 'add', id: 2 ** 53 - 1, peerUrls: ['http://a:1', 'http://b:2'], learner: true }, { kind: 'promote', id: 4 }, { kind: 'remove', id: 5 },
  { kind: 'update', id: 6, peerUrls: [] }, { kind: 'publish', id: 7, name: 'ü', clientUrls: ['http://c:3'] }, { kind: 'replace', id: 8, removed: 9 },
];

const bytesOf = (entry: MemberEntry): Uint8Array => encodeConfChange(memberConfChange(entry));

describe('changes of the members as entries', () => {
  it('S1 what goes into the log comes out of it', () => {
    for (const change of CHANGES) {
      for (const base of [[], BASE]) {
        const entry = { token: 2 ** 53 - 1, base, change };
        assert.deepEqual(decodeMemberEntry(bytesOf(entry)), entry);
        assert.ok(isCopySound({ type: 'confChange', term: 1, index: 1, data: bytesOf(entry) }));
      }
    }
    assert.equal(decodeMemberEntry(new Uint8Array(0)), undefined);
  });

  it('S1 C1 a copy with a flipped bit, wherever it is, is damaged and never another change', () => {
    for (const change of CHANGES) {
      const good = bytesOf({ token: 77, base: BASE.slice(0, 1), change });
      for (let at = 0; at < good.length * 8; at++) {
        const bad = good.slice();
        bad[at >>> 3] = (bad[at >>> 3] as number) ^ (1 << (at & 7));
        assert.throws(() => decodeMemberEntry(bad), (error) => codeOf(error) === 'ENTRY_DAMAGED', `bit ${at} of ${change.kind}`);
        assert.ok(!isCopySound({ type: 'confChange', term: 1, index: 1, data: bad }));
      }
    }
  });
});
