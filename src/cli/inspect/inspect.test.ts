import assert from 'node:assert/strict';
import { mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testWorkers } from '../../base/testing/test-env.js';
import { HardStateStore } from '../../replica/hard-state/hard-state.js';
import { NodeDisk } from '../../server/node-disk.js';
import { Version } from '../../storage/version/version.js';
import { ManifestStore } from '../../storage/version/manifest-store.js';
import { DEFAULT_SCHEME } from '../../ecc/scheme.js';
import { FakeIo } from '../testing/fake-io.js';
import { inspect } from './inspect.js';
import { ReadOnlyDir } from '../files/read-only-disk.js';

describe('kintsugi inspect', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-inspect-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  async function run(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const io = new FakeIo();
    return { code: await inspect(args, io), out: io.text, err: io.errors };
  }

  async function makeMember(): Promise<NodeDisk> {
    const disk = await NodeDisk.open(dir);
    const hardState = await HardStateStore.open(disk);
    await hardState.create({ term: 4, vote: 7, clusterId: 0xabcn, memberId: 7, incarnation: 2, manifestGeneration: 0, manifestDigest: '0'.repeat(32) });
    const commitGeneration = ({ generation, digest }: { generation: number; digest: string }): Promise<void> =>
      hardState.update({ manifestGeneration: generation, manifestDigest: digest });
    const options = { disk, workers: testWorkers, scheme: DEFAULT_SCHEME, commitGeneration };
    const store = await ManifestStore.open(options, undefined, Version.empty());
    store.close();
    await hardState.close();
    return disk;
  }

  it('says what hard state and manifest hold, and changes no byte of the directory', async () => {
    await (await makeMember()).close();
    const before = readFileSync(join(dir, 'hardstate'));
    const names = readdirSync(dir, { recursive: true }).sort();
    const hard = await run('hardstate', dir);
    assert.equal(hard.code, 0);
    assert.match(hard.out, /term: 4\n/);
    assert.match(hard.out, /all four copies agree/);
    assert.equal((await run('manifest', dir)).code, 0);
    const json = JSON.parse((await run('manifest', dir, '--json')).out) as Record<string, unknown>;
    assert.deepEqual([json['generation'], json['scheme'], json['flushed']], [1, 'rs(8,2)', { index: 0, term: 0 }]);
    assert.deepEqual(readFileSync(join(dir, 'hardstate')), before);
    assert.deepEqual(readdirSync(dir, { recursive: true }).sort(), names);
  });

  it('R5 one damaged copy of the hard state is shown and still readable; three are not', async () => {
    await (await makeMember()).close();
    const bytes = readFileSync(join(dir, 'hardstate'));
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(join(dir, 'hardstate'), bytes);
    const one = await run('hardstate', dir);
    assert.equal(one.code, 1);
    assert.match(one.out, /damaged[\s\S]*readable: the copies that are needed agree/);
    for (const page of [5, 11]) bytes[page * 4096 + 20] = (bytes[page * 4096 + 20] ?? 0) ^ 1;
    writeFileSync(join(dir, 'hardstate'), bytes);
    assert.match((await run('hardstate', dir)).out, /no two copies agree/);
  });

  it('says clearly when a node holds the directory', async () => {
    const disk = await makeMember();
    assert.match((await run('hardstate', dir)).err, new RegExp(`is held by process ${process.pid}`));
    await disk.close();
    assert.equal((await run('hardstate', dir)).err, '');
  });

  it('its disk refuses to write', async () => {
    const disk = new ReadOnlyDir(dir);
    assert.throws(() => disk.openSync('x', 'create'), { code: 'WRITE_FAILED' });
    await assert.rejects(disk.unlink('x'), { code: 'WRITE_FAILED' });
    await assert.rejects(disk.rename('x'), { code: 'WRITE_FAILED' });
  });

  it('what is no table, no directory or no command is told so', async () => {
    mkdirSync(join(dir, 'tables'));
    writeFileSync(join(dir, 'tables', '1.sst'), Buffer.alloc(10_000, 7));
    const junk = await run('table', join(dir, 'tables', '1.sst'));
    assert.equal(junk.code, 1);
    assert.match(junk.err, /no readable footer at either end/);
    for (const args of [[], ['nope'], ['table'], ['table', join(dir, 'gone')], ['manifest', join(dir, 'gone')], ['log', dir, '--nope']]) {
      assert.deepEqual([args.join(' '), (await run(...args)).code], [args.join(' '), 2]);
    }
    assert.equal((await run('manifest', dir)).code, 1);
    assert.equal((await run('--help')).code, 0);
  });
});
