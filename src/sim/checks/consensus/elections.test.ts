import assert from 'node:assert/strict';
import type { NodeId } from '../../../base/ids.js';
import { encodeSlot, FILE_BYTES, SLOT_PAGES, slotOffset } from '../../../replica/hard-state/slots.js';
import { Acknowledged } from './acknowledged.js';
import { Committed } from './committed.js';
import { Elections } from './elections.js';
import { HardStateCopies } from './hard-state-copies.js';
import { MSG_APP_RESP, MSG_VOTE, MSG_VOTE_RESP } from './raft-frames.js';
import { message } from '../testing/message.js';
import { watch, type FakeNode, type Watch } from '../testing/fake-node.js';
import { Votes } from './votes.js';

describe('checks of elections', () => {
  let w: Watch;
  let one: FakeNode;
  let two: FakeNode;
  let committed: Committed;
  let leader: NodeId | undefined;
  let check: Elections;

  beforeEach(() => {
    w = watch();
    [one, two] = w.nodes as [FakeNode, FakeNode];
    committed = new Committed(w.reporter);
    leader = undefined;
    check = new Elections(w.reporter, committed, () => leader, w.configurations);
  });

  /** Node 1 asks in term 5, and says that its log ends so. */
  function asks(logTerm: number, index: number): void {
    check.onMessage(one, message(MSG_VOTE, 1, 2, 5, { logTerm, index }));
  }

  function answers(reject = false): void {
    two.term = 5;
    check.onMessage(two, message(MSG_VOTE_RESP, 2, 1, 5, { reject }));
  }

  describe('votes and logs', () => {
    it('R3 a vote for a log that ends in the same place or later is the truth, and so is a refusal of any', () => {
      two.terms = [1, 3, 3];
      for (const [logTerm, index] of [[3, 3], [3, 4], [4, 1]] as const) {
        asks(logTerm, index);
        answers();
      }
      asks(2, 9);
      answers(true);
      assert.deepEqual(w.reported(), []);
    });

    it('R3 a vote for a log that ends in an earlier term, however long, or is shorter, is reported', () => {
      two.terms = [1, 3, 3];
      asks(2, 9);
      answers();
      assert.deepEqual(w.reported(), ['votes go to complete logs']);
      asks(3, 2);
      answers();
      assert.equal(w.violations.length, 2);
    });

    it('R3 a log that a leader of the term, or of a later one, may have changed since the vote was decided says nothing', () => {
      two.terms = [1, 3, 3];
      asks(2, 9);
      leader = 3;
      answers();
      leader = undefined;
      two.term = 6;
      check.onMessage(two, message(MSG_VOTE_RESP, 2, 1, 5));
      assert.deepEqual(w.reported(), []);
    });
  });

  describe('elections', () => {
    it('R1 a leader with the votes of a majority, its own among them, is the truth', () => {
      asks(0, 0);
      answers();
      check.leads(one, 5);
      assert.deepEqual(w.reported(), []);
    });

    it('R1 a leader that too few voted for in its term is reported', () => {
      asks(0, 0);
      check.onMessage(two, message(MSG_VOTE_RESP, 2, 1, 4));
      check.onMessage(two, message(MSG_VOTE_RESP, 2, 3, 5));
      answers();
      check.leads(one, 5);
      assert.deepEqual(w.reported(), ['leaders are elected by a majority']);
      assert.match(w.violations[0]?.message ?? '', /leads in term 5 with 1 of 2/);
    });

    it('R3 a leader that lacks an entry which was applied somewhere, or has another one there, is reported', () => {
      asks(0, 0);
      answers();
      committed.applied(3, 2);
      one.terms = [1, 2, 2];
      check.leads(one, 5);
      assert.deepEqual(w.reported(), []);
      one.terms = [1, 2];
      check.leads(one, 5);
      one.terms = [1, 2, 1];
      check.leads(one, 5);
      assert.deepEqual(w.reported(), ['leaders have what is committed', 'leaders have what is committed']);
    });

    it('R3 a leader whose votes came late need not have what a leader of a later term has committed', () => {
      asks(0, 0);
      answers();
      committed.applied(3, 2);
      one.terms = [1, 2, 2];
      two.terms = [1, 2];
      for (const voter of [2, 3]) check.onMessage(two, message(MSG_VOTE_RESP, voter, 2, 4));
      check.leads(one, 5);
      check.leads(two, 4);
      assert.deepEqual(w.reported(), []);
    });
  });

  describe('what a leader is told', () => {
    it("R3 an acknowledgement of an entry that is not the leader's is reported, unless it is of an earlier term", () => {
      const acks = new Acknowledged(w.reporter, w.oracle, committed, w.configurations, (term) => (term === 5 ? one : undefined));
      one.leads = true;
      one.term = two.term = 5;
      one.terms = [1, 2, 5];
      two.terms = [1, 2, 5];
      acks.onMessage(two, message(MSG_APP_RESP, 2, 1, 5, { index: 3 }));
      two.terms = [1, 2, 4];
      acks.onMessage(two, message(MSG_APP_RESP, 2, 1, 5, { index: 2 }));
      acks.onMessage(two, message(MSG_APP_RESP, 2, 1, 4, { index: 3 }));
      assert.deepEqual(w.reported(), []);
      acks.onMessage(two, message(MSG_APP_RESP, 2, 1, 5, { index: 3 }));
      assert.deepEqual(w.reported(), ["acknowledged entries are the leader's"]);
    });
  });

  describe('hard state and log', () => {
    function promise(term: number, copies = SLOT_PAGES.length): void {
      const file = one.files.get('hardstate') ?? new Uint8Array(FILE_BYTES);
      const record = {
        sequence: 5 + term, term, vote: 0, clusterId: 1n, memberId: 1, incarnation: 1, manifestGeneration: 1, manifestDigest: 'ab'.repeat(16),
      };
      SLOT_PAGES.slice(0, copies).forEach((_, slot) => file.set(encodeSlot(record, slot), slotOffset(slot)));
      one.files.set('hardstate', file);
    }

    it('R2 entries that are durable before their term is are reported', () => {
      const votes = new Votes(w.reporter, w.oracle);
      promise(4);
      one.terms = [1, 4];
      votes.onLogSync(one);
      assert.deepEqual(w.reported(), []);
      one.terms = [1, 4, 5];
      votes.onLogSync(one);
      assert.deepEqual(w.reported(), ['promises are durable before they are sent']);
    });

    it('R2 a start with a log of a later term than the hard state is reported', () => {
      const votes = new Votes(w.reporter, w.oracle);
      promise(4);
      one.term = 4;
      one.terms = [1, 4];
      votes.onOpen(one);
      assert.deepEqual(w.reported(), []);
      one.terms = [1, 5];
      one.files.clear();
      votes.onOpen(one);
      assert.deepEqual(w.reported(), ['the log ends in a term that was promised']);
    });

    it('R2 a record that three slots took is the truth; one that fewer took is reported, unless damage since excuses it', () => {
      const check = new HardStateCopies(w.reporter, w.oracle);
      promise(4);
      check.look(one);
      promise(5, 3);
      check.look(one);
      assert.deepEqual(w.reported(), []);
      promise(6, 2);
      w.world.nowUs += 1_000_000;
      w.oracle.noteDamage(one.id, 'hardstate', slotOffset(3), 512, 'write-error');
      check.look(one);
      assert.deepEqual(w.reported(), ['the hard state is in three copies']);
      w.oracle.noteDamage(one.id, 'hardstate', slotOffset(3), 512, 'bit-flip');
      check.look(one);
      assert.deepEqual(w.reported(), ['the hard state is in three copies']);
    });
  });
});
