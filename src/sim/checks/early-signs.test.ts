/** Checks that see a rule broken before data is lost by it. */

import assert from 'node:assert/strict';
import type { Replica } from '../../replica/replica.js';
import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { Version } from '../../storage/version/version.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { Acknowledged } from './consensus/acknowledged.js';
import { ClusterSettings } from './tree/cluster-settings.js';
import { Committed } from './consensus/committed.js';
import { CurrentReads } from './consensus/current-reads.js';
import { HeartbeatRounds } from './consensus/heartbeat-rounds.js';
import { LogKept } from './consensus/log-kept.js';
import { checkLogOnMedium } from './consensus/log-on-medium.js';
import { MSG_APP_RESP, MSG_HEARTBEAT, MSG_HEARTBEAT_RESP } from './consensus/raft-frames.js';
import { ServedState } from './consensus/served-state.js';
import { TableBytes } from './tree/table-bytes.js';
import { message } from './testing/message.js';
import { watch, type FakeNode, type Watch } from './testing/fake-node.js';
import { TreeOps } from './tree/tree-ops.js';

describe('early signs', () => {
  let w: Watch;
  let one: FakeNode;
  let two: FakeNode;

  beforeEach(() => {
    w = watch();
    [one, two] = w.nodes as [FakeNode, FakeNode];
  });

  function replicaOf(node: FakeNode): Replica {
    return node.running?.replica as Replica;
  }

  describe('what a leader believes', () => {
    it('R3 a leader that counts a member beyond what that has told it in this term is reported', () => {
      const check = new Acknowledged(w.reporter, w.oracle, new Committed(w.reporter), w.configurations);
      one.term = 5;
      two.terms = [1, 1, 1, 1];
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 4, { index: 4 }));
      check.onMessage(two, message(MSG_APP_RESP, 2, 1, 5, { index: 3 }));
      one.matches.set(2, 3);
      check.onMessage(one, message(MSG_HEARTBEAT, 1, 2, 5));
      assert.deepEqual(w.reported(), []);
      one.matches.set(2, 4);
      check.onMessage(one, message(MSG_HEARTBEAT, 1, 2, 5));
      assert.deepEqual(w.reported(), ['leaders count what they are told']);
    });

    it('S3 an op of a leader that has applied nothing of its term is reported', () => {
      const check = new TreeOps(w.reporter, w.oracle, () => 1);
      const replica = replicaOf(one);
      let takes = true;
      replica.proposer.propose = () => takes;
      check.watch(one, replica);
      one.terms = [1, 1, 2];
      one.term = 2;
      const seal = { kind: 'seal', proposer: 1, format: DEFAULT_TREE_SETTINGS.format } as const;
      one.applied = 3;
      replica.proposer.propose(seal);
      takes = false;
      one.applied = 2;
      replica.proposer.propose(seal);
      assert.deepEqual(w.reported(), []);
      takes = true;
      replica.proposer.propose(seal);
      assert.deepEqual(w.reported(), ['leaders shape the tree once they know it']);
    });
  });

  describe('what is served', () => {
    it('R4 a read that no heartbeat of a majority has confirmed since it was asked for is reported', async () => {
      const rounds = new HeartbeatRounds(() => w.world.nowUs, w.configurations);
      const check = new CurrentReads(w.reporter, new Committed(w.reporter), rounds);
      const replica = replicaOf(two);
      check.watch(two, replica);
      const beat = (round: number): void => rounds.onMessage(w.nodes[0] as FakeNode, message(MSG_HEARTBEAT, 1, 2, 5, { round }));
      const answer = (round: number): void => rounds.onMessage(w.nodes[1] as FakeNode, message(MSG_HEARTBEAT_RESP, 2, 1, 5, { round }));
      const read = replica.readIndex.wait();
      w.world.nowUs += 10;
      beat(7);
      answer(7);
      await read;
      assert.deepEqual(w.reported(), []);
      w.world.nowUs += 10;
      const late = replica.readIndex.wait();
      // A round that had left is answered again, and a new one is not.
      answer(7);
      beat(8);
      await late;
      assert.deepEqual(w.reported(), ['reads are confirmed after they are asked for']);
    });

    it('R4 a state before the materialized index, and one that is older than what was served, are reported', () => {
      const check = new ServedState(w.reporter);
      one.durable = Version.empty().with({ last: { index: 7, term: 1 } });
      one.serves = false;
      one.applied = 5;
      check.look(one);
      one.serves = true;
      one.applied = 7;
      check.look(one);
      one.applied = 9;
      check.look(one);
      assert.deepEqual(w.reported(), []);
      one.applied = 8;
      check.look(one);
      one.applied = 6;
      check.look(one);
      assert.deepEqual(w.reported(), ['what is served never goes back', 'nothing is served before the materialized index', 'what is served never goes back']);
    });

    it('S1 settings that are not those of the cluster are reported, whoever has them', () => {
      const check = new ClusterSettings(w.reporter);
      check.look(one);
      one.settings = two.settings = DEFAULT_TREE_SETTINGS;
      check.look(one);
      check.look(two);
      assert.deepEqual(w.reported(), []);
      two.settings = { ...DEFAULT_TREE_SETTINGS, levelRatio: 3 };
      check.look(two);
      assert.deepEqual(w.reported(), ['the settings are those of the cluster']);
    });
  });

  describe('what a power loss would take', () => {
    it('R2 a segment of the log with changes, or a name, that wait for a sync is reported, but for the name of the next one', () => {
      for (const name of ['1', '2', '3']) one.files.set(`log/000000000000000${name}.seg`, new Uint8Array(1));
      one.unnamed.add('log/0000000000000003.seg');
      one.dirty.add('log/new-4.tmp');
      checkLogOnMedium(one, 'has written entries', w.oracle.ledger, w.reporter);
      assert.deepEqual(w.reported(), []);
      one.dirty.add('log/0000000000000002.seg');
      w.oracle.ledger.note(1, { kind: 'write-error', path: 'log/0000000000000001.seg', offset: 0, length: 1, grave: false, atUs: 1 });
      checkLogOnMedium(one, 'has written entries', w.oracle.ledger, w.reporter);
      w.oracle.ledger.note(1, { kind: 'write-error', path: 'log/0000000000000002.seg', offset: 0, length: 1, grave: false, atUs: 1 });
      checkLogOnMedium(one, 'has written entries', w.oracle.ledger, w.reporter);
      one.dirty.clear();
      one.unnamed.add('log/0000000000000001.seg');
      w.oracle.ledger.noteDeath(1, 2);
      checkLogOnMedium(one, 'has written entries', w.oracle.ledger, w.reporter);
      assert.deepEqual(w.reported(), ['the log is on the medium', 'the log is on the medium']);
    });

    it('S5 a table of the durable manifest whose name would be lost is reported', () => {
      const check = new TableBytes(w.reporter, w.oracle);
      one.holds([{ id: 4, birth: { term: 1, proposer: 1, sequence: 1, ordinal: 0 } } as TableMeta], 3);
      one.files.set(tablePath(4), new Uint8Array(1));
      check.files(one, true);
      assert.deepEqual(w.reported(), []);
      one.unnamed.add(tablePath(4));
      check.files(one, true);
      assert.deepEqual(w.reported(), ['names are durable before the manifest is']);
    });

    it('D1 a log that ends before the materialized index is reported, unless it was told to expect the snapshot', async () => {
      const check = new LogKept(w.reporter, w.oracle, w.nodes, w.configurations);
      const at = (index: number) => (Version.empty().with({ last: { index, term: 1 } }));
      one.terms = two.terms = [1, 1, 1];
      for (const node of [one, two]) check.watch(node, replicaOf(node));
      await replicaOf(one).log.expectSnapshot(9);
      one.durable = two.durable = at(3);
      check.look(two);
      one.durable = at(9);
      check.look(one);
      assert.deepEqual(w.reported(), []);
      two.durable = at(9);
      check.look(two);
      assert.deepEqual(w.reported(), ['log ends where the version ends']);
    });
  });
});
