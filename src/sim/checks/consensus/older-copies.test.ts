import assert from 'node:assert/strict';
import { encodeSlot, FILE_BYTES, SLOT_PAGES, slotOffset } from '../../../replica/hard-state/slots.js';
import { watch, type FakeNode, type Watch } from '../testing/fake-node.js';
import { message } from '../testing/message.js';
import { HARD_STATE } from './hard-state-slots.js';
import { OlderCopies } from './older-copies.js';
import { MSG_APP_RESP, MSG_HEARTBEAT_RESP, MSG_VOTE, MSG_VOTE_RESP } from './raft-frames.js';

describe('checks of older copies of a directory', () => {
  let w: Watch;
  let one: FakeNode;
  let two: FakeNode;
  let check: OlderCopies;

  beforeEach(() => {
    w = watch();
    [one, two] = w.nodes as [FakeNode, FakeNode];
    check = new OlderCopies(w.reporter, w.nodes);
    const file = new Uint8Array(FILE_BYTES);
    const nothing = { term: 3, vote: 0, manifestGeneration: 0, manifestDigest: '0'.repeat(32), clusterId: 1n, memberId: 1 };
    for (let i = 0; i < SLOT_PAGES.length; i++) file.set(encodeSlot({ ...nothing, sequence: 7, incarnation: 4 }, i), slotOffset(i));
    one.files.set(HARD_STATE, file);
  });

  /** The directory of node 1 knows of start 4, and of entries up to 20; then it is opened. */
  function comesBack(): void {
    check.aged(one, 20);
    one.lives++;
    check.onOpen(one);
  }

  const promises = (): void => {
    for (const type of [MSG_VOTE, MSG_VOTE_RESP, MSG_APP_RESP]) check.onMessage(one, message(type, 1, 2, 5));
  };

  it('R5 whatever it promises is reported where another has met a later start of it', () => {
    two.met.set(1, 5);
    comesBack();
    promises();
    assert.deepEqual(w.reported(), Array(3).fill('an older copy promises nothing'));
  });

  it('R5 so is what it promises to a leader that knows of more entries, or while there is one', () => {
    comesBack();
    two.leads = true;
    two.matches.set(1, 20);
    promises();
    assert.deepEqual(w.reported(), []);
    two.matches.set(1, 21);
    promises();
    assert.equal(w.violations.length, 3);
  });

  it('R5 so is what it promises while one is up that remembered more of it when it began, and not another life of that one', () => {
    two.heard.noteApplied(1, 20);
    comesBack();
    promises();
    assert.deepEqual(w.reported(), []);
    two.heard.noteApplied(1, 21);
    comesBack();
    two.lives++;
    promises();
    assert.deepEqual(w.reported(), []);
    two.lives--;
    promises();
    assert.equal(w.violations.length, 3);
  });

  it('R5 what promises nothing, is of another member, or comes where nobody who is up remembers more, is the truth', () => {
    two.met.set(1, 4);
    comesBack();
    promises();
    two.met.set(1, 5);
    check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 5, { reject: true }));
    check.onMessage(one, message(MSG_HEARTBEAT_RESP, 1, 2, 5));
    comesBack();
    two.state = 'down';
    promises();
    two.state = 'up';
    check.onMessage(one, message(MSG_VOTE, 11, 2, 5));
    one.lives++;
    check.onOpen(one);
    promises();
    assert.deepEqual(w.reported(), []);
  });
});
