import assert from 'node:assert/strict';
import { AssertionError } from '../../base/assert.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env } from '../../base/env.js';
import { silent } from '../../base/testing/silent.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { VerifyReport } from '../../storage/table/verify-table.js';
import { manifestOf, TestClock } from '../testing/world.js';
import type { Confirmation } from './confirmed-fault.js';
import type { HintEnd } from './hint-end.js';
import { HintStore } from './hint-store.js';
import type { Hint } from './hint.js';

const TWICE: Confirmation = { by: 'second-read', pastCache: true };
const CLEAN: VerifyReport = { bytes: 0, faults: [], pristine: true, pastCache: true };

function table(id: number, sequence: number): TableMeta {
  const birth = { term: 1, proposer: 1, sequence, ordinal: 0 };
  return { id, birth, fileDigest: String(sequence).padStart(32, '0') } as TableMeta;
}

function hintAt(meta: TableMeta): Hint {
  return { tableId: meta.id, birth: meta.birth, fileDigest: meta.fileDigest, kind: 'corrected', offsets: [1], node: 1, pastCache: true };
}

describe('what enters the hint store and what leaves it', () => {
  const old = table(1, 7);
  const heir = table(9, 7);
  const other = table(8, 6);
  let store: HintStore;
  beforeEach(() => {
    store = new HintStore({ disk: new MemoryDisk(), clock: new TestClock(), events: silent } as unknown as Env);
    store.add(hintAt(old), TWICE);
  });
  afterEach(() => store.durable());

  function ends(end: HintEnd): boolean {
    store.end(hintAt(old), end);
    return store.get(old.id) === undefined;
  }

  it('H1 lets nothing in that fewer than three transient faults speak for', () => {
    const transients = (times: number): Confirmation => ({ by: 'transients', times, pastCache: true });
    assert.throws(() => store.add(hintAt(other), transients(2)), AssertionError);
    assert.equal(store.get(other.id), undefined);
    assert.equal(store.add(hintAt(other), transients(3)), true);
  });

  it('H2 lets a hint out whose bytes are gone, written anew or proven good', () => {
    assert.ok(ends({ why: 'gone', durable: manifestOf([other], 10) }));
    store.add(hintAt(old), TWICE);
    assert.ok(ends({ why: 'rewritten', durable: manifestOf([heir], 10), heir }));
    store.add(hintAt(old), TWICE);
    assert.ok(ends({ why: 'proven', durable: manifestOf([heir], 10), heir, proof: CLEAN }));
  });

  it('H2 keeps a hint while its table is durable, not yet there, or its bytes live on unproven', () => {
    const faulty = { ...CLEAN, pristine: false, faults: [{ kind: 'corrected', region: 'data', offset: 1, length: 1, why: '' }] } as const;
    const refused: HintEnd[] = [
      { why: 'gone', durable: manifestOf([old], 10) },
      { why: 'gone', durable: manifestOf([], 1) },
      { why: 'gone', durable: manifestOf([heir], 10) },
      { why: 'rewritten', durable: manifestOf([other], 10), heir: other },
      { why: 'rewritten', durable: manifestOf([other], 10), heir },
      { why: 'proven', durable: manifestOf([heir], 10), heir, proof: faulty },
    ];
    for (const end of refused) assert.throws(() => ends(end), AssertionError, JSON.stringify(end.why));
    assert.ok(store.get(old.id));
  });

  it('H5 knows the bytes that any open hint is about, until the last of those ends', () => {
    assert.ok(store.hasBytes(old.fileDigest));
    assert.ok(!store.hasBytes(other.fileDigest));
    store.move(hintAt(old), hintAt(heir), TWICE);
    store.add(hintAt(old), TWICE);
    store.add({ ...hintAt(old), kind: 'unreadable', offsets: [2] }, TWICE);
    store.end(hintAt(old), { why: 'rewritten', durable: manifestOf([heir], 10), heir });
    assert.ok(store.hasBytes(old.fileDigest), 'the hint that moved is about the same bytes');
    store.end(hintAt(heir), { why: 'gone', durable: manifestOf([], 10) });
    assert.ok(!store.hasBytes(old.fileDigest));
  });
});
