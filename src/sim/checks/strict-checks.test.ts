import assert from 'node:assert/strict';
import type { Entry } from '../../raft/types.js';
import type { HintStatus } from '../../healing/status/hint-status.js';
import type { Replica } from '../../replica/replica.js';
import { encodeSlot, FILE_BYTES, SLOT_PAGES, slotOffset } from '../../replica/hard-state/slots.js';
import { encodeBootstrap, encodeTreeOp } from '../../replica/entry/entry.js';
import { formatWith, makeTable, sampleEntries } from '../../storage/table/testing/sample-tables.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { Version } from '../../storage/version/version.js';
import type { PendingPlan } from '../../storage/version/pending.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { Acknowledged } from './consensus/acknowledged.js';
import { Committed } from './consensus/committed.js';
import { CurrentReads } from './consensus/current-reads.js';
import { HintsReach } from './healing/hints-reach.js';
import { LogKept } from './consensus/log-kept.js';
import { MSG_APP_RESP, MSG_VOTE_RESP } from './consensus/raft-frames.js';
import { TableBytes } from './tree/table-bytes.js';
import { message } from './testing/message.js';
import { watch, type FakeNode, type Watch } from './testing/fake-node.js';
import { TreeOps } from './tree/tree-ops.js';
import { Votes } from './consensus/votes.js';

const { format } = DEFAULT_TREE_SETTINGS;

describe('strict checks', () => {
  let w: Watch;
  let one: FakeNode;
  let two: FakeNode;
  let three: FakeNode;

  beforeEach(() => {
    w = watch();
    [one, two, three] = w.nodes as [FakeNode, FakeNode, FakeNode];
  });

  function flushed(node: FakeNode, index: number): void {
    node.durable = Version.empty().with({ flushed: { index, term: 1 }, last: { index, term: 1 } });
  }

  describe('who shapes the tree, and with what', () => {
    const sealOf = (proposer: number, index: number, term: number): Entry =>
      ({ index, term, type: 'normal', data: encodeTreeOp({ kind: 'seal', proposer, format }) });
    const leaders = new Map([[3, 1], [4, 2]]);

    it('S3 seals of who led in their term are the truth, those of others are reported', () => {
      const check = new TreeOps(w.reporter, w.oracle, (term) => leaders.get(term));
      check.onApplied(1, { index: 1, term: 3, type: 'normal', data: encodeBootstrap(DEFAULT_TREE_SETTINGS) }, Version.empty());
      check.onApplied(1, sealOf(1, 2, 3), Version.empty());
      check.onApplied(3, sealOf(2, 5, 4), Version.empty());
      assert.deepEqual(w.reported(), []);
      check.onApplied(3, sealOf(1, 7, 4), Version.empty());
      check.forwarded(3);
      assert.deepEqual(w.reported(), ['only the leader shapes the tree', 'tree ops are not forwarded']);
    });

    it('S5 a pending plan without its input is reported, one with it is not', () => {
      const check = new TreeOps(w.reporter, w.oracle, (term) => leaders.get(term));
      const { meta } = makeTable(sampleEntries(20), formatWith('rs(4,2)', 512), 1, { term: 1, proposer: 1, sequence: 10, ordinal: 0 });
      const plan: PendingPlan = {
        index: 20, term: 3, proposer: 1, purpose: 'compact', inputs: [{ id: 1, digest: meta.fileDigest }], outputLevel: 1, gcRevision: 0, format, bottommost: true,
      };
      const pending: Version = Version.empty().with({ plans: [plan] });
      check.onApplied(1, sealOf(1, 21, 3), pending.with({ levels: pending.levels.map((level, i) => (i === 0 ? [meta] : level)) }));
      assert.deepEqual(w.reported(), []);
      check.onApplied(1, sealOf(1, 22, 3), pending);
      assert.deepEqual(w.reported(), ['inputs of pending plans are live']);
    });

    it('S2 a production that differs is reported: no memory fails here', () => {
      const check = new TreeOps(w.reporter, w.oracle, () => undefined);
      assert.deepEqual(w.reported(), []);
      check.disagreed(1, 20, [3]);
      assert.deepEqual(w.reported(), ['all replicas produce the same']);
    });
  });

  describe('what the log keeps', () => {
    it('D1 log that a majority has in tables may go, also if one of them has forgotten since; other log may not', () => {
      const check = new LogKept(w.reporter, w.oracle, w.nodes, w.configurations);
      flushed(one, 10);
      flushed(two, 10);
      check.dropped(one, 11);
      flushed(two, 0);
      check.dropped(w.nodes[2] as FakeNode, 11);
      assert.deepEqual(w.reported(), []);
      check.dropped(one, 12);
      assert.deepEqual(w.reported(), ['log goes when a majority has the tables']);
    });

    it('D1 a log that begins beyond its own tables is reported, unless it was damaged', () => {
      const check = new LogKept(w.reporter, w.oracle, w.nodes, w.configurations);
      for (const node of [one, two]) {
        flushed(node, 10);
        node.firstIndex = 11;
        check.look(node);
      }
      assert.deepEqual(w.reported(), []);
      one.firstIndex = two.firstIndex = 12;
      w.oracle.noteDamage(2, 'log/0000000000000001.seg', 4096, 100, 'zeroed', true);
      check.look(two);
      assert.deepEqual(w.reported(), []);
      check.look(one);
      assert.deepEqual(w.reported(), ['log begins where the tables end']);
    });

    it('R6 a log that is opened shorter is reported, damaged or not', () => {
      const check = new Acknowledged(w.reporter, w.oracle, new Committed(w.reporter), w.configurations);
      two.terms = [1, 1, 1];
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 1, { index: 3 }));
      w.oracle.noteDamage(2, 'log/0000000000000001.seg', 4096, 100, 'zeroed', true);
      check.onDeath(two);
      check.onStart(two);
      assert.deepEqual(w.reported(), []);
      two.terms = [1];
      check.onStart(two);
      assert.deepEqual(w.reported(), ['acknowledged entries survive']);
    });

    it('R2 after a failed sync what was durable before may be acknowledged, what is behind it only from a later segment, or in the next life', () => {
      const check = new Acknowledged(w.reporter, w.oracle, new Committed(w.reporter), w.configurations);
      two.terms = [1, 1, 1];
      w.oracle.noteDamage(2, 'log/0000000000000001.seg', 4096, 100, 'sync-error');
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 1, { index: 3 }));
      assert.deepEqual(w.reported(), []);
      two.terms = [1, 1, 1, 1];
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 1, { index: 4 }));
      assert.deepEqual(w.reported(), ['a failed sync is never retried']);
      two.generations = [1, 1, 1, 2];
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 1, { index: 4 }));
      assert.equal(w.violations.length, 1);
      two.generations = [];
      two.lives++;
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 1, { index: 4 }));
      assert.equal(w.violations.length, 1);
    });
  });

  describe('commits and reads', () => {
    it('R3 a leader commits by counting what is of its own term, and knows what others committed before', () => {
      const check = new Committed(w.reporter);
      one.terms = [1, 1, 2, 3];
      one.leads = true;
      one.term = 3;
      check.saw(two, 2);
      check.saw(one, 2);
      check.saw(one, 4);
      assert.equal(check.highest, 4);
      assert.deepEqual(w.reported(), []);
      one.terms = [1, 1, 2, 3, 3, 4];
      one.term = 5;
      check.saw(one, 6);
      assert.deepEqual(w.reported(), ['only entries of its own term are committed by counting']);
    });

    it('R4 a read of less than was committed when it was asked for is reported', async () => {
      const committed = new Committed(w.reporter);
      const check = new CurrentReads(w.reporter, committed);
      const replica = one.running?.replica as Replica;
      check.watch(one, replica);
      committed.saw(two, 5);
      one.applied = 5;
      const read = replica.readIndex.wait();
      committed.saw(two, 9);
      await read;
      assert.deepEqual(w.reported(), [], 'what came later need not be seen');
      await replica.readIndex.wait();
      assert.deepEqual(w.reported(), ['linearizable reads are current']);
    });
  });

  describe('promises over lives', () => {
    it('R2 a term or a vote that went back at a start is reported', () => {
      const check = new Votes(w.reporter, w.oracle);
      w.oracle.noteDamage(1, 'hardstate', 0, 4096, 'lost-write');
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 5));
      for (const [term, vote] of [[5, 2], [6, 0]] as const) {
        one.term = term;
        one.vote = vote;
        check.onOpen(one);
      }
      assert.deepEqual(w.reported(), []);
      one.term = 4;
      check.onOpen(one);
      one.term = 5;
      one.vote = 3;
      check.onOpen(one);
      assert.deepEqual(w.reported(), ['promises survive', 'promises survive']);
    });

    it('R5 a start that has the number of an earlier one is reported', () => {
      const check = new Votes(w.reporter, w.oracle);
      const start = (incarnation: number): void => {
        const file = new Uint8Array(FILE_BYTES);
        const record = {
          sequence: 9, term: 1, vote: 0, clusterId: 1n, memberId: 1, incarnation, manifestGeneration: 1, manifestDigest: 'ab'.repeat(16),
        };
        SLOT_PAGES.forEach((_, slot) => file.set(encodeSlot(record, slot), slotOffset(slot)));
        one.files.set('hardstate', file);
        check.onOpen(one);
      };
      start(1);
      start(2);
      assert.deepEqual(w.reported(), []);
      start(2);
      assert.deepEqual(w.reported(), ['every start has a number of its own']);
    });

    it('R1 who was wiped makes no promises again', () => {
      const check = new Votes(w.reporter, w.oracle);
      w.oracle.noteDamage(1, 'hardstate', 0, 4096, 'lost-write');
      check.onMessage(one, message(MSG_APP_RESP, 1, 2, 5, { index: 3 }));
      w.oracle.noteFault(1, 'wipe');
      check.onMessage(one, message(MSG_VOTE_RESP, 1, 2, 6, { reject: true }));
      assert.deepEqual(w.reported(), []);
      check.onMessage(one, message(MSG_APP_RESP, 1, 2, 6, { index: 4 }));
      assert.deepEqual(w.reported(), ['no promises after a wipe']);
    });
  });

  describe('hints and leaders', () => {
    it('H2 a hint that the leader does not know of for long is reported, one that reaches a leader is not', () => {
      const check = new HintsReach(w.reporter, w.nodes);
      const { meta } = makeTable(sampleEntries(20), formatWith('rs(4,2)', 512), 1, { term: 1, proposer: 1, sequence: 10, ordinal: 0 });
      const hint: HintStatus = { tableId: 1, kind: 'corrected', node: 2, state: 'open', offsets: undefined };
      for (const node of w.nodes) {
        node.holds([meta], 30);
        node.leader = 1;
      }
      one.leads = true;
      two.hints = [hint];
      const wait = (seconds: number): void => {
        for (let i = 0; i < seconds; i++) {
          w.world.nowUs += 1_000_000;
          check.step();
        }
      };
      wait(30);
      one.hints = [{ ...hint, state: 'pending' }];
      wait(60);
      one.hints = [];
      wait(30);
      three.lives++;
      wait(30);
      assert.deepEqual(w.reported(), []);
      wait(30);
      assert.deepEqual(w.reported(), ['hints reach the leader']);
    });
  });

  describe('a healed table', () => {
    it('S6 H5 rot that lay on the medium before the heal is no excuse, what struck after it is', () => {
      const table = makeTable(sampleEntries(60), formatWith('rs(4,2)', 512), 1, { term: 1, proposer: 1, sequence: 10, ordinal: 0 });
      const path = tablePath(1);
      for (const node of w.nodes) {
        node.files.set(path, table.bytes.slice());
        node.holds([table.meta], 30);
        w.oracle.onStart(node);
      }
      const check = new TableBytes(w.reporter, w.oracle);
      const heal = (): void => {
        check.onEvent(three, { type: 'heal-applied', removed: 9, added: 1, index: 31 });
        w.world.nowUs += 1_000_000;
      };
      const rot = (): void => {
        w.oracle.noteDamage(3, path, 700, 1, 'bit-flip');
        (three.files.get(path) as Uint8Array)[700] = 0xa5 ^ (table.bytes[700] as number);
      };
      const done = (): void => check.onEvent(three, { type: 'materialized', table: 1, how: 'relink', bytes: table.meta.bytes });
      heal();
      done();
      heal();
      rot();
      done();
      assert.deepEqual(w.reported(), []);
      w.world.nowUs += 1_000_000;
      heal();
      done();
      assert.deepEqual(w.reported(), ['materialized tables are as they were born']);
    });
  });
});
