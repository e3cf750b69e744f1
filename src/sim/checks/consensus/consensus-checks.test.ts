import assert from 'node:assert/strict';
import { utf8 } from '../../../base/bytes.js';
import type { Entry } from '../../../raft/types.js';
import type { Replica } from '../../../replica/replica.js';
import { encodeSlot, FILE_BYTES, SLOT_PAGES, slotOffset } from '../../../replica/hard-state/slots.js';
import { Version } from '../../../storage/version/version.js';
import { Acknowledged } from './acknowledged.js';
import { checkBounds } from '../bounds.js';
import { CommitRecorded } from './commit-recorded.js';
import { Committed } from './committed.js';
import { LeaderPerTerm } from './leader-per-term.js';
import { LogMatching } from './log-matching.js';
import { ManifestMatching } from '../tree/manifest-matching.js';
import { MSG_APP, MSG_APP_RESP, MSG_HEARTBEAT, MSG_VOTE, MSG_VOTE_RESP } from './raft-frames.js';
import { message } from '../testing/message.js';
import { watch, type FakeNode, type Watch } from '../testing/fake-node.js';
import { Coverage } from '../../model/coverage.js';
import { PATHS } from '../../model/paths.js';
import { PathsSeen } from './paths-seen.js';
import { Votes } from './votes.js';

function promise(node: FakeNode, term: number, vote: number, copies = 4): void {
  const file = new Uint8Array(FILE_BYTES);
  const record = {
    sequence: 9, term, vote, clusterId: 1n, memberId: node.id, incarnation: 1, manifestGeneration: 1, manifestDigest: 'ab'.repeat(16),
  };
  SLOT_PAGES.slice(0, copies).forEach((_, slot) => file.set(encodeSlot(record, slot), slotOffset(slot)));
  node.files.set('hardstate', file);
}

describe('checks of consensus', () => {
  let w: Watch;
  let one: FakeNode;
  let two: FakeNode;

  beforeEach(() => {
    w = watch();
    [one, two] = w.nodes as [FakeNode, FakeNode];
  });

  describe('one leader per term', () => {
    it('R1 is silent while each term has one', () => {
      const check = new LeaderPerTerm(w.reporter);
      check.leads(1, 3, 'says so');
      check.onMessage(message(MSG_APP, 1, 2, 3));
      check.onMessage(message(MSG_HEARTBEAT, 2, 1, 4));
      check.onMessage(message(MSG_APP_RESP, 3, 2, 4));
      assert.deepEqual(w.reported(), []);
    });

    it('R1 reports a second one, by its messages and by what it says', () => {
      const check = new LeaderPerTerm(w.reporter);
      check.onMessage(message(MSG_HEARTBEAT, 1, 2, 3));
      check.onMessage(message(MSG_HEARTBEAT, 2, 3, 3));
      check.leads(3, 3, 'says so');
      assert.deepEqual(w.reported(), ['one leader per term', 'one leader per term']);
    });
  });

  describe('no double vote', () => {
    it('R2 a vote may be repeated, and is one in each term', () => {
      const check = new Votes(w.reporter, w.oracle);
      promise(one, 5, 2);
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 5));
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 5));
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 3, 5, { reject: true }));
      promise(one, 6, 3);
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 3, 6));
      assert.deepEqual(w.reported(), []);
    });

    it('R2 two candidates in one term are reported, whatever lies between: a candidate votes for itself', () => {
      const check = new Votes(w.reporter, w.oracle);
      promise(one, 5, 1);
      check.onMessage(one, message(MSG_VOTE, 1, 2, 5));
      w.oracle.noteFault(1, 'wipe');
      one.lives++;
      promise(one, 5, 2);
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 5));
      assert.deepEqual(w.reported(), ['no promises after a wipe', 'no double vote']);
    });

    it('R2 a vote and a term that fewer than three copies hold are reported, unless the copies were struck just now', () => {
      const check = new Votes(w.reporter, w.oracle);
      promise(one, 5, 2, 2);
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 5));
      promise(two, 4, 0);
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 5));
      assert.deepEqual(w.reported(), ['promises are durable before they are sent', 'promises are durable before they are sent']);
      w.oracle.noteDamage(1, 'hardstate', 0, 4096, 'lost-write');
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 6));
      assert.equal(w.violations.length, 2);
      w.world.nowUs += 60_000_000;
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 7));
      assert.equal(w.violations.length, 3, 'an older fault excuses nothing');
    });
  });

  describe('acknowledged entries', () => {
    it('R2 an acknowledgement of what is not in the durable log is reported', () => {
      const check = new Acknowledged(w.reporter, w.oracle, new Committed(w.reporter), w.configurations);
      two.terms = [1, 1, 2];
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 2, { index: 3 }));
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 2, { index: 9, reject: true }));
      assert.deepEqual(w.reported(), []);
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 2, { index: 4 }));
      assert.deepEqual(w.reported(), ['acknowledged entries are durable']);
    });

    it('R2 R3 what was acknowledged or applied is in the log that is opened next, unless a later leader replaced it', () => {
      const check = new Acknowledged(w.reporter, w.oracle, new Committed(w.reporter), w.configurations);
      two.terms = [1, 1, 2, 2];
      two.applied = 2;
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 2, { index: 4 }));
      const restart = (terms: number[]): void => {
        check.onDeath(two);
        two.lives++;
        two.terms = terms;
        check.onStart(two);
      };
      restart([1, 1, 2, 2]);
      restart([1, 1, 3]);
      assert.deepEqual(w.reported(), []);
      restart([1, 1, 2]);
      assert.match(w.violations[0]?.message ?? '', /acknowledged entry 4 of term 2/);
      restart([1]);
      assert.match(w.violations[1]?.message ?? '', /had applied 2/);
      w.oracle.noteDamage(2, 'log/0000000000000001.seg', 4096, 100, 'zeroed', true);
      restart([]);
      assert.equal(w.violations.length, 3);
    });

    it('R3 a snapshot may take the place of the log once', () => {
      const check = new Acknowledged(w.reporter, w.oracle, new Committed(w.reporter), w.configurations);
      two.terms = [1, 1, 1];
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 1, { index: 3 }));
      check.replaced(two);
      two.terms = [1, 1];
      check.onStart(two);
      assert.deepEqual(w.reported(), []);
      check.onStart(two);
      assert.deepEqual(w.reported(), ['acknowledged entries survive']);
    });

    it('D1 what a leader calls committed was acknowledged to it by a majority, itself included', () => {
      const check = new Acknowledged(w.reporter, w.oracle, new Committed(w.reporter), w.configurations);
      one.terms = [1, 1, 2, 2];
      two.terms = [1, 1, 2, 2];
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 2, { index: 3 }));
      check.onMessage(one, message(MSG_HEARTBEAT, 1, 2, 2, { commit: 3 }));
      // A later vote does not take back what the leader of an earlier term was told.
      check.onMessage(two, message(MSG_APP_RESP, 2, 3, 3, { index: 2 }));
      assert.deepEqual(w.reported(), []);
      check.onMessage(one, message(MSG_APP, 1, 2, 2, { commit: 4 }));
      assert.deepEqual(w.reported(), ['committed entries are durable on a majority']);
    });

    it('R3 an acknowledgement to the leader of a term before the entry\'s own was of another entry', () => {
      const check = new Acknowledged(w.reporter, w.oracle, new Committed(w.reporter), w.configurations);
      two.terms = [1, 1, 2, 2];
      check.onMessage(two, message(MSG_APP_RESP, 2, 3, 2, { index: 4 }));
      one.terms = [1, 1, 3, 3];
      check.onMessage(one, message(MSG_HEARTBEAT, 1, 2, 3, { commit: 2 }));
      assert.deepEqual(w.reported(), []);
      check.onMessage(one, message(MSG_HEARTBEAT, 1, 2, 3, { commit: 4 }));
      assert.deepEqual(w.reported(), ['committed entries are durable on a majority']);
    });
  });

  describe('log matching', () => {
    const entry = (index: number, term: number, text: string): Entry => ({ index, term, type: 'normal', data: utf8(text) });

    it('R3 equal entries in order are the truth; a flushed index in between is a new beginning', () => {
      const check = new LogMatching(w.reporter, new Committed(w.reporter));
      for (const node of [one, two]) for (let i = 1; i <= 4; i++) check.onApplied(node, entry(i, 1, `e${i}`));
      two.lives++;
      two.durable = Version.empty().with({ flushed: { index: 2, term: 1 } });
      check.onApplied(two, entry(3, 1, 'e3'));
      check.onApplied(two, entry(4, 1, 'e4'));
      check.onApplied(two, entry(3, 1, 'e3'));
      assert.deepEqual(w.reported(), []);
    });

    it('R3 another term, other bytes and a gap are reported', () => {
      const check = new LogMatching(w.reporter, new Committed(w.reporter));
      for (let i = 1; i <= 3; i++) check.onApplied(one, entry(i, 1, `e${i}`));
      check.onApplied(two, entry(1, 2, 'e1'));
      check.onApplied(two, entry(2, 1, 'other'));
      assert.deepEqual(w.reported(), ['log matching', 'log matching']);
      check.onApplied(two, entry(4, 1, 'e4'));
      assert.equal(w.reported().at(-1), 'entries are applied in order');
    });

    it('R3 a life that is watched from its middle begins where it is', () => {
      const check = new LogMatching(w.reporter, new Committed(w.reporter));
      check.begins(one, 7);
      check.onApplied(one, entry(8, 1, 'e8'));
      assert.deepEqual(w.reported(), []);
    });

    it('R3 commit that goes back within a life is reported', () => {
      const check = new LogMatching(w.reporter, new Committed(w.reporter));
      one.commit = 7;
      check.commit(one);
      one.lives++;
      one.commit = 5;
      check.commit(one);
      assert.deepEqual(w.reported(), []);
      one.commit = 4;
      check.commit(one);
      assert.deepEqual(w.reported(), ['commit never regresses']);
    });
  });

  describe('the commit index that is written', () => {
    const entries = (from: number, ...terms: number[]): Entry[] =>
      terms.map((term, i) => ({ index: from + i, term, type: 'normal', data: utf8(`e${from + i}`) }));
    const watched = (): { check: CommitRecorded; log: Replica['log'] } => {
      const check = new CommitRecorded(w.reporter);
      const { log } = (one.running as NonNullable<FakeNode['running']>).replica;
      check.watch(one, { log });
      return { check, log };
    };

    it('R3 is that of the batch, or of what lies before it', async () => {
      const { check, log } = watched();
      await log.append(entries(1, 1, 1, 2), 2);
      one.terms = [1, 1, 2];
      for (const entry of entries(1, 1, 1, 2)) check.onApplied(two, entry);
      await log.append(entries(4, 2, 2), 3);
      assert.deepEqual(w.reported(), []);
    });

    it('R3 an index behind the batch is reported', async () => {
      const { log } = watched();
      await log.append(entries(1, 1, 1), 3);
      assert.deepEqual(w.reported(), ['the commit index is of the log that is written']);
    });

    it('R3 an entry that another was applied in the place of is reported, before and after', async () => {
      const { check, log } = watched();
      await log.append(entries(5, 1, 1, 1, 1), 8);
      check.onApplied(two, entries(8, 3)[0] as Entry);
      await log.append(entries(5, 1, 1, 1, 1), 8);
      assert.equal(w.violations.length, 2);
      assert.match(w.violations[0]?.message ?? '', /entry 8 of term 1 as committed; node 2 applies one of term 3/);
      assert.match(w.violations[1]?.message ?? '', /entry 8 of term 1 as committed; an entry of term 3 was applied/);
    });
  });

  describe('paths through the write pipeline', () => {
    it('are counted where what is sent or committed is not in the own log yet, and where a segment is larger', () => {
      const coverage = new Coverage();
      const seen = new PathsSeen(coverage, 100);
      one.terms = [1, 1];
      seen.onMessage(one, message(MSG_APP, 1, 2, 1, { index: 1, entries: 1, commit: 2 }));
      one.files.set('log/1.seg', new Uint8Array(100));
      seen.look(one);
      assert.deepEqual(coverage.toJSON(), {});
      seen.onMessage(one, message(MSG_APP, 1, 2, 1, { index: 2, entries: 1, commit: 3 }));
      one.files.set('log/2.seg', new Uint8Array(101));
      seen.look(one);
      seen.onEvent({ type: 'leader-lost', term: 1, why: 'its own disk has been writing for 900 ms' });
      seen.onEvent({ type: 'leader-lost', term: 1, why: 'its stream broke' });
      assert.deepEqual(
        Object.keys(coverage.toJSON()).sort(),
        [PATHS.sentBeforeWritten, PATHS.committedBeforeWritten, PATHS.largerSegment, PATHS.stalledLeaderGaveUp].sort(),
      );
    });
  });

  describe('manifests and bounds', () => {
    it('S2 other manifests as of one index are reported, equal ones are not', () => {
      const check = new ManifestMatching(w.reporter);
      const at = (index: number, nextTableId: number) => (Version.empty().with({ nextTableId, last: { index, term: 1 } }));
      check.check(1, at(5, 2));
      check.check(2, at(5, 2));
      check.durable(3, at(5, 2));
      check.check(1, at(6, 3));
      assert.deepEqual(w.reported(), []);
      check.durable(2, at(6, 2));
      assert.deepEqual(w.reported(), ['equal logical manifest at equal applied index']);
    });

    it('a queue beyond its bound is reported', () => {
      checkBounds(one, w.reporter);
      assert.deepEqual(w.reported(), []);
      one.sealed = 65;
      checkBounds(one, w.reporter);
      assert.deepEqual(w.reported(), ['queues are bounded']);
    });
  });
});
