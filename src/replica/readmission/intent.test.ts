import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { silent } from '../../base/testing/silent.js';
import { HardStateStore } from '../hard-state/hard-state.js';
import { SLOT_BYTES } from '../hard-state/slots.js';
import { writeJoined } from '../state/joined.js';
import { staticMembers } from '../state/members.js';
import { beginRecovery, planRecovery, type RecoverRequest } from './begin.js';
import { findEvidence, markRefused } from './evidence.js';
import { readIntent, readMendedIntent, removeIntent, writeIntent, type RecoverIntent } from './intent.js';

const INTENT: RecoverIntent = {
  stage: 'asks', clusterId: 77n, shown: [3, 2 ** 52 + 1], byName: true, id: 2 ** 53 - 1, why: 'MISSING: gone', replaces: 3, past: 99,
};

describe('the intent to be re-admitted', () => {
  let disk: MemoryDisk;

  beforeEach(() => {
    disk = new MemoryDisk();
  });

  async function hardState(term: number): Promise<void> {
    const store = await HardStateStore.open(disk);
    const more = { vote: 0, incarnation: 4, manifestGeneration: 0, manifestDigest: '0'.repeat(32) };
    await store.create({ term, clusterId: 77n, memberId: 3, ...more });
    await store.close();
  }

  async function damage(path: string, at: number, bytes = 16): Promise<void> {
    const file = await disk.open(path, 'write');
    file.writeSync(new Uint8Array(bytes).fill(0xa5), at);
    file.close();
  }

  async function segment(): Promise<void> {
    await disk.mkdir('log');
    (await disk.open('log/0000000000000001.seg', 'create')).close();
  }

  async function plan(more: Partial<RecoverRequest> = {}): Promise<RecoverIntent> {
    return planRecovery({ evidence: await findEvidence(disk), claimed: undefined, emptied: false, ...more }, seededRandom(1));
  }

  it('R5 is what was written, at every stage, or is told to be unreadable', async () => {
    assert.equal(await readIntent(disk), undefined);
    for (const stage of ['asks', 'admitted', 'begun'] as const) {
      await writeIntent(disk, { ...INTENT, stage });
      assert.deepEqual(await readIntent(disk), { ...INTENT, stage });
    }
    await damage('recovering', 8);
    assert.deepEqual(await readIntent(disk), { ...INTENT, stage: 'begun' });
    await damage('recovering.copy', 8);
    await assert.rejects(readIntent(disk), { code: 'INTENT_UNREADABLE' });
  });

  it('R5 one copy serves, and the other is made anew', async () => {
    for (const lost of ['recovering', 'recovering.copy']) {
      await writeIntent(disk, INTENT);
      await disk.unlink(lost);
      assert.deepEqual(await readMendedIntent({ disk, events: silent }), INTENT);
      await disk.unlink(lost === 'recovering' ? 'recovering.copy' : 'recovering');
      assert.deepEqual(await readIntent(disk), INTENT);
      await removeIntent(disk);
      assert.deepEqual(disk.files(), []);
    }
  });

  it('R5 a copy that an older program left takes nothing from the member that has begun since', async () => {
    await hardState(5);
    for (const stage of ['asks', 'admitted'] as const) {
      await writeIntent(disk, { ...INTENT, id: 3, stage });
      await disk.unlink('recovering');
      assert.deepEqual(await readIntent(disk), { ...INTENT, id: 3, stage: 'begun' });
    }
  });

  async function joined(self: number): Promise<void> {
    await writeJoined(disk, { self, description: { clusterId: 77n, members: staticMembers([{ id: self, name: 'a', peerUrls: ['http://h:1'] }]) } });
  }

  it('R5 a hard state whose member no file names is re-admitted once a start, an operator with its flags, or another file shows it', async () => {
    await hardState(5);
    await segment();
    const flags = { self: 1, clusterId: 77n, members: [1, 2] };
    const intent = await plan({ claimed: flags });
    assert.match(intent.why, /^JOINED_MISSING/);
    assert.deepEqual([intent.shown, intent.clusterId, intent.byName], [[3], 77n, false]);
    assert.match((await plan({ claimed: { ...flags, clusterId: 0n } })).why, /^JOINED_MISSING/);
    // They name it: it is another member's directory, or healthy.
    await assert.rejects(plan({ claimed: { ...flags, members: [1, 2, 3] } }), { code: 'HEALTHY' });
    await assert.rejects(plan({ claimed: { self: 3, clusterId: 77n } }), { code: 'HEALTHY' });
    await assert.rejects(plan({ claimed: { ...flags, clusterId: 78n } }), { code: 'OTHER_CLUSTER' });
    await assert.rejects(plan(), { code: 'HEALTHY' });
    await joined(4);
    assert.deepEqual((await plan()).shown, [3, 4]);
    await joined(3);
    await assert.rejects(plan({ claimed: flags }), { code: 'HEALTHY' });
    for (const name of ['joined', 'joined.copy']) await disk.unlink(name);
    for (const code of ['JOINED_MISSING', 'WRONG_IDENTITY']) {
      await markRefused(disk, { self: 1, clusterId: 78n }, new Error(`${code}: of another`));
      assert.match((await plan()).why, /^JOINED_MISSING/);
      assert.match((await plan({ claimed: { ...flags, clusterId: 78n } })).why, /^JOINED_MISSING/);
    }
  });

  it('R5 who was let in, and lost the file that says so, asks again under the same new id', async () => {
    await hardState(5);
    await segment();
    const admitted = { ...INTENT, shown: [3], stage: 'admitted' } as const;
    await writeIntent(disk, admitted);
    await joined(admitted.id);
    assert.deepEqual(await plan(), admitted);
    const asks = { ...admitted, stage: 'asks', replaces: 0, past: 0 };
    await joined(3);
    assert.deepEqual(await plan(), asks);
    await damage('joined', 8);
    await damage('joined.copy', 8);
    assert.deepEqual(await plan(), asks);
    for (const name of ['joined', 'joined.copy']) await disk.unlink(name);
    assert.deepEqual(await plan(), asks);
  });

  it('what a start ended with counts only as it was written, or as an older program wrote it', async () => {
    await hardState(5);
    await segment();
    const why = 'ROLLED_BACK: an old copy';
    await markRefused(disk, { self: 3, clusterId: 77n }, new Error(why));
    assert.equal((await findEvidence(disk)).refused?.why, why);
    await damage('refused', 0, 1);
    assert.equal((await findEvidence(disk)).refused, undefined);
    const old = await disk.open('refused', 'create');
    old.writeSync(utf8(`3 4d\n${why}`), 0);
    old.close();
    assert.deepEqual((await findEvidence(disk)).refused, { self: 3, clusterId: 77n, why });
  });

  it('R5 a directory without anything wrong is refused, and one without anything in it unless the operator says so', async () => {
    await assert.rejects(plan(), { code: 'NOT_CONFIRMED' });
    await assert.rejects(plan({ emptied: true }), { code: 'UNKNOWN_MEMBER' });
    const wiped = await plan({ emptied: true, claimed: { self: 9, clusterId: 77n } });
    assert.deepEqual([wiped.byName, wiped.shown, wiped.clusterId], [true, [], 77n]);
    await hardState(5);
    await segment();
    await assert.rejects(plan(), { code: 'HEALTHY' });
    await assert.rejects(plan({ emptied: true }), { code: 'HEALTHY' });
    await markRefused(disk, { self: 3, clusterId: 77n }, new Error('ROLLED_BACK: an old copy'));
    assert.match((await plan()).why, /ROLLED_BACK/);
  });

  it('R5 one good copy of a hard state shows who it was, and another cluster is refused', async () => {
    await hardState(5);
    await segment();
    for (const page of [0, 5, 11]) await damage('hardstate', page * SLOT_BYTES);
    const intent = await plan();
    assert.deepEqual([intent.clusterId, intent.shown, intent.byName], [77n, [3], false]);
    await assert.rejects(plan({ claimed: { self: 3, clusterId: 78n } }), { code: 'OTHER_CLUSTER' });
    await damage('hardstate', 18 * SLOT_BYTES);
    await assert.rejects(plan(), { code: 'UNKNOWN_MEMBER' });
    assert.equal((await plan({ claimed: { self: 3, clusterId: 77n } })).byName, true);
    // The start that was refused knew.
    await markRefused(disk, { self: 3, clusterId: 77n }, new Error('UNREADABLE: all of it'));
    const told = await plan();
    assert.deepEqual([told.byName, told.clusterId], [true, 77n]);
  });

  it('R5 an intent keeps its new id however often it is begun, and a member that loses its promises again gets another', async () => {
    await hardState(5);
    const intent = await plan();
    await beginRecovery(disk, intent);
    assert.deepEqual(await plan(), intent);
    await writeIntent(disk, { ...intent, stage: 'begun' });
    const again = await plan();
    assert.equal(again.stage, 'asks');
    assert.deepEqual(again.shown, [3, intent.id]);
  });

  it('R5 who was known by name and place alone shows, too, whose place it was told to take', async () => {
    await segment();
    const claimed = { self: 3, clusterId: 77n };
    const intent = await plan({ claimed });
    assert.deepEqual([intent.byName, intent.shown], [true, []]);
    await writeIntent(disk, { ...intent, stage: 'begun', replaces: 3, past: 99 });
    assert.deepEqual((await plan({ claimed: { ...claimed, self: intent.id } })).shown, [3, intent.id]);
  });
});
