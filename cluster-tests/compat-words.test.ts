import assert from 'node:assert/strict';
import { Words } from '../scripts/lib/compat/ctl/words.js';

describe('what etcdctl printed, in words', () => {
  it('an id is the same in decimals, in hexadecimal, and filled up with zeros', () => {
    const words = new Words(new Map());
    assert.equal(words.of('lease 00f2345678901234 granted'), 'lease id#1 granted');
    assert.equal(words.of(`{"id":${0xf2345678901234n}}`), '{"id":id#1}');
    assert.equal(words.of('lease f2345678901234 revoked'), 'lease id#1 revoked');
    assert.equal(words.of('lease a2345678901234 granted'), 'lease id#2 granted');
  });

  it('what is of one server has no name, in whatever digits', () => {
    const words = new Words(new Map());
    const fields = (own: string): string => `"ClusterID" : ${own}\n"MemberID" : ${own}\n"Revision" : 32\n"RaftTerm" : 2`;
    assert.equal(words.of(fields('6d22810d5a2')), words.of(fields('7705426327158358')));
    assert.equal(words.of(fields('6d22810d5a2')), '"ClusterID" : *\n"MemberID" : *\n"Revision" : 32\n"RaftTerm" : *');
  });
});
