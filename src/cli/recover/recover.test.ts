import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HardStateStore } from '../../replica/hard-state/hard-state.js';
import { NodeDisk } from '../../server/node-disk.js';
import { FakeIo } from '../testing/fake-io.js';
import { recover } from './recover.js';

describe('kintsugi recover', () => {
  let dir: string;

  /** Of member 3 of cluster 77, in term 5. */
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-recover-'));
    const disk = await NodeDisk.open(dir);
    await disk.mkdir('log');
    (await disk.open('log/0000000000000001.seg', 'create')).close();
    const store = await HardStateStore.open(disk);
    const more = { vote: 0, incarnation: 4, manifestGeneration: 0, manifestDigest: '0'.repeat(32) };
    await store.create({ term: 5, clusterId: 0x77n, memberId: 3, ...more });
    await store.close();
    await disk.close();
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  async function said(code: number, ...args: string[]): Promise<string> {
    const io = new FakeIo();
    assert.equal(await recover(args, io), code, io.text + io.errors);
    return io.text + io.errors;
  }

  it('says what it found and what will happen, writes it down once, and keeps to it', async () => {
    truncateSync(join(dir, 'hardstate'), 4096);
    const dry = await said(0, '--data-dir', dir, '--dry-run');
    assert.match(dry, /hard state: 1 of 4 copies good.*member 3 of cluster 77/);
    assert.match(dry, /nothing was changed/);
    assert.equal(existsSync(join(dir, 'recovering')), false);
    const first = JSON.parse(await said(0, '--data-dir', dir, '-w', 'json')) as { newMemberId: string; goesOn: boolean };
    assert.equal(first.goesOn, false);
    const written = readFileSync(join(dir, 'recovering'));
    const second = JSON.parse(await said(0, `--data-dir=${dir}`, '--write-out=json')) as { newMemberId: string; goesOn: boolean };
    assert.deepEqual(second, { ...first, goesOn: true });
    assert.deepEqual(readFileSync(join(dir, 'recovering')), written);
  });

  it('refuses a healthy directory, one in use, an empty one, and one that does not say whose it is', async () => {
    assert.match(await said(1, '--data-dir', dir), /nothing is wrong with this data directory/);
    const disk = await NodeDisk.open(dir);
    assert.match(await said(1, '--data-dir', dir), /is in use by/);
    await disk.close();
    unlinkSync(join(dir, 'hardstate'));
    assert.match(await said(1, '--data-dir', dir), /does not show who this member was/);
    const flags = ['--initial-cluster', 'default=http://h:1', '--initial-advertise-peer-urls', 'http://h:1'];
    assert.match(await said(0, '--data-dir', dir, ...flags, '--dry-run'), /name and peer URL/);
    const empty = join(dir, 'empty');
    mkdirSync(empty);
    assert.match(await said(1, '--data-dir', empty), /--emptied/);
    assert.match(await said(2, '--data-dir', join(dir, 'none')), /is not a directory/);
    assert.match(await said(2, '--data-dir', dir, '--nonsense'), /unknown flag --nonsense/);
    assert.match(await said(0, '--help'), /Examples:/);
  });
});
