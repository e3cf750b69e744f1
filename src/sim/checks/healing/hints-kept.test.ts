import assert from 'node:assert/strict';
import { tablePath } from '../../../storage/table/table-meta.js';
import { formatWith, makeTable, sampleEntries } from '../../../storage/table/testing/sample-tables.js';
import { watch, type FakeNode, type Watch } from '../testing/fake-node.js';
import { give, rot } from '../testing/given-tables.js';
import { HintsKept } from './hints-kept.js';

const TABLE = makeTable(sampleEntries(120), formatWith('rs(4,2)', 512), 1, { term: 1, proposer: 1, sequence: 10, ordinal: 0 });

describe('hints', () => {
  let w: Watch;
  let one: FakeNode;
  const HINT = { tableId: 1, kind: 'corrected', node: 1, state: 'open', offsets: undefined } as const;
  const event = (state: string) => ({ type: 'hint', table: 1, node: 1, kind: 'corrected', state }) as const;
  let check: HintsKept;
  /** It starts again and has no hints. */
  const restartWithout = (): void => {
    one.lives++;
    one.hints = [];
    check.step(one);
  };

  beforeEach(() => {
    w = watch();
    [one] = w.nodes as [FakeNode, ...FakeNode[]];
    for (const node of w.nodes) give(w, node, TABLE);
    check = new HintsKept(w.reporter, w.oracle);
    check.onEvent(one, event('open'));
    one.hints = [HINT];
    check.step(one);
  });

  it('H2 one that a restart has lost is reported, one that it kept is not', () => {
    check.saved(one);
    one.lives++;
    check.step(one);
    assert.deepEqual(w.reported(), []);
    restartWithout();
    assert.deepEqual(w.reported(), ['hints are never lost']);
  });

  it('H2 one that was not saved yet, or whose file was struck, may be lost', () => {
    one.hintsSaved = false;
    check.saved(one);
    restartWithout();
    check.onEvent(one, event('open'));
    one.hints = [HINT];
    one.hintsSaved = true;
    check.saved(one);
    w.oracle.noteDamage(1, 'hints', 0, 10, 'junk');
    restartWithout();
    assert.deepEqual(w.reported(), []);
  });

  it('H2 one whose file has a bad sector when a life opens it may be lost', () => {
    check.saved(one);
    w.world.nowUs += 1000;
    w.oracle.noteDamage(1, 'hints', 0, 4096, 'sticky-read-error');
    restartWithout();
    assert.deepEqual(w.reported(), []);
  });

  it('H2 one that was still known after the bad sector was met is reported, as is one whose file could not be read for once', () => {
    check.saved(one);
    w.oracle.noteDamage(1, 'hints', 0, 4096, 'sticky-read-error');
    w.world.nowUs += 1000;
    check.step(one);
    w.oracle.noteDamage(1, 'hints', 0, 41, 'read-error');
    w.oracle.noteDamage(1, 'hints', 0, 41, 'misread');
    w.oracle.noteDamage(1, 'hints.tmp', 0, 4096, 'sticky-read-error');
    restartWithout();
    assert.deepEqual(w.reported(), ['hints are never lost']);
  });

  it('H2 one that is lost within a life is reported, whatever was done to its file', () => {
    check.saved(one);
    w.world.nowUs += 1000;
    w.oracle.noteDamage(1, 'hints', 0, 4096, 'sticky-read-error');
    w.oracle.noteDamage(1, 'hints', 0, 10, 'junk');
    one.hints = [];
    check.step(one);
    assert.deepEqual(w.reported(), ['hints are never lost']);
  });

  it('H2 one that ends while its table is durable is reported', () => {
    check.onEvent(one, event('done'));
    assert.deepEqual(w.reported(), ['hints end when the fault is gone']);
  });

  it('H2 one that ends while the same bytes are bad under their new id is reported, with good ones it is not', () => {
    const heir = { meta: { ...TABLE.meta, id: 5 }, bytes: TABLE.bytes };
    give(w, one, heir);
    one.hints = [];
    check.onEvent(one, event('done'));
    assert.deepEqual(w.reported(), []);
    rot(one, tablePath(5), 800, 20);
    check.onEvent(one, event('open'));
    check.onEvent(one, event('done'));
    assert.deepEqual(w.reported(), ['hints end when the fault is gone']);
    w.oracle.noteDamage(1, tablePath(5), 800, 20, 'burst');
    check.onEvent(one, event('open'));
    check.onEvent(one, event('done'));
    assert.equal(w.violations.length, 1);
  });
});
