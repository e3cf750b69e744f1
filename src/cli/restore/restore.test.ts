import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatId } from '../../base/ids.js';
import { put } from '../../api/testing/requests.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import { buildConfig } from '../../server/options/config.js';
import { parseOptions } from '../../server/options/parse.js';
import { identityOf } from '../../server/join.js';
import { NodeDisk } from '../../server/node-disk.js';
import { HardStateStore } from '../../replica/hard-state/hard-state.js';
import { FakeIo } from '../testing/fake-io.js';
import { snapshot } from '../snapshot/snapshot.js';
import { restoreCommand } from './restore.js';

describe('kintsugi snapshot and kintsugi restore', function () {
  this.timeout(20_000);
  let dir: string;
  let file: string;
  /** Of one write more. */
  let later: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-backup-'));
    file = join(dir, 'backup.db');
    later = join(dir, 'later.db');
    const cluster = await Cluster.start(calm, { members: 1 });
    const [node] = cluster.nodes;
    assert.ok(node);
    for (let i = 0; i < 20; i++) await node.store.put(put(`key${i}`, `value${i}`));
    const pieces: Uint8Array[] = [];
    for await (const { bytes } of node.store.backup()) pieces.push(bytes);
    writeFileSync(file, Buffer.concat(pieces));
    await node.store.put(put('later', 'x'));
    pieces.length = 0;
    for await (const { bytes } of node.store.backup()) pieces.push(bytes);
    writeFileSync(later, Buffer.concat(pieces));
    await cluster.close();
  });

  after(() => rmSync(dir, { recursive: true, force: true }));

  async function said(code: number, run: (io: FakeIo) => Promise<number>): Promise<string> {
    const io = new FakeIo();
    assert.equal(await run(io), code, io.text + io.errors);
    return io.text + io.errors;
  }
  const snapshotSays = (code: number, ...args: string[]): Promise<string> => said(code, (io) => snapshot(args, io));
  const restoreSays = (code: number, ...args: string[]): Promise<string> => said(code, (io) => restoreCommand(args, io));

  it('status has the numbers of etcdctl, in its forms', async () => {
    const bytes = readFileSync(file);
    const hash = bytes.subarray(-32, -28).toString('hex');
    assert.match(await snapshotSays(0, 'status', file), new RegExp(`^${hash}, 21, 20, \\d+(\\.\\d)? KiB\n$`));
    const json = JSON.parse(await snapshotSays(0, 'status', file, '-w', 'json')) as Record<string, unknown>;
    assert.deepEqual([json['hash'], json['revision'], json['totalKey'], json['totalSize']], [Number.parseInt(hash, 16), 21, 20, bytes.length]);
    assert.equal(json['digest'], bytes.subarray(-32).toString('hex'));
    assert.match(await snapshotSays(0, 'status', file, '-w=table'), /HASH.*REVISION.*TOTAL KEYS.*TOTAL SIZE/);
    assert.match(await snapshotSays(0, 'status', file, '-w', 'fields'), /^"Hash" : \d+\n"Revision" : 21\n"Keys" : 20\n"Size" : \d+\n/);
  });

  it('verify says sound, or what is damaged and where', async () => {
    assert.match(await snapshotSays(0, 'verify', file), /sound, revision 21, 20 keys/);
    const bytes = readFileSync(file);
    const spoiled = join(dir, 'spoiled.db');
    bytes[bytes.length - 2000] = (bytes[bytes.length - 2000] as number) ^ 1;
    writeFileSync(spoiled, bytes);
    assert.match(await snapshotSays(1, 'verify', spoiled), /DAMAGED\n {2}bytes 0 to \d+: chunk 0 is not what its digest says/);
    assert.match(await snapshotSays(1, 'verify', spoiled, '-w', 'json'), /"sound":false/);
    const target = join(dir, 'untouched');
    assert.match(await restoreSays(1, spoiled, '--data-dir', target), /the backup is damaged/);
    assert.equal(existsSync(target), false);
  });

  it('makes the directory of the member that kintsugi start with the same flags wants', async () => {
    const target = join(dir, 'b');
    const flags = ['--name', 'b', '--data-dir', target, '--initial-cluster', 'a=http://h1:2380,b=http://h2:2380', '--initial-cluster-token', 'new-1'];
    const text = await restoreSays(0, file, ...flags);
    assert.match(text, /revision 21, \d+ tables/);
    assert.match(text, /restore the same backup for a too/);
    const start = [...flags, '--initial-advertise-peer-urls', 'http://h2:2380'];
    assert.ok(text.includes(`kintsugi start ${start.join(' ')}`), text);
    const config = buildConfig(parseOptions(start, {}));
    const disk = await NodeDisk.open(target);
    const hardState = await HardStateStore.open(disk);
    const { self, clusterId, members, joins } = await identityOf(config, disk);
    assert.equal(hardState.current?.memberId, self);
    assert.equal(hardState.current.clusterId, clusterId);
    assert.deepEqual([members.map(({ name, peerUrls }) => `${name}=${peerUrls[0]}`).sort(), joins], [['a=http://h1:2380', 'b=http://h2:2380'], []]);
    assert.ok(members.every(({ id }) => !config.members.some((flagged) => flagged.id === id)), 'R1 ids are not those of the flags');
    assert.ok(text.includes(`member ${formatId(self)} of the new cluster ${clusterId.toString(16)}`), text);
    assert.equal(hardState.current.vote, 0);
    await hardState.close();
    await disk.close();
    assert.equal(existsSync(join(target, 'restoring')), false);
    assert.match(await restoreSays(1, file, ...flags), /is not empty, it holds hardstate/);
  });

  it('R1 ids are never those of the old cluster, and the same only for members that begin with the same', async () => {
    const old = (JSON.parse(await snapshotSays(0, 'status', file, '-w', 'json')) as { clusterId: string }).clusterId;
    let made = 0;
    const ids = async (name: string, from: string, ...flags: string[]): Promise<string> => {
      const list = ['a', 'b'].map((one, i) => `${one}=http://h${i + 1}:2380`).join(',');
      const text = await restoreSays(0, from, '--name', name, '--data-dir', join(dir, `ids${made++}`), '--initial-cluster', list, '-w', 'json', ...flags);
      return (JSON.parse(text) as { clusterId: string }).clusterId;
    };
    const [a, b] = [await ids('a', file), await ids('b', file)];
    assert.equal(a, b);
    const others = [
      old, await ids('a', later), await ids('a', file, '--initial-cluster-token', 'x'),
      await ids('a', file, '--bump-revision', '100', '--mark-compacted'), await ids('a', file, '--bump-revision', '101', '--mark-compacted'),
    ];
    assert.equal(new Set([a, ...others]).size, 1 + others.length, [a, ...others].join());
  });

  it('refuses flags that make no sense, and changes nothing', async () => {
    const before = readdirSync(dir);
    const target = join(dir, 'never');
    assert.match(await restoreSays(2), /a backup is needed/);
    assert.match(await restoreSays(2, join(dir, 'none')), /does not exist/);
    assert.match(await restoreSays(2, file, '--data-dir', target, '--bump-revision', '5'), /needs --mark-compacted/);
    assert.match(await restoreSays(2, file, '--data-dir', target, '--mark-compacted'), /needs --bump-revision/);
    assert.match(await restoreSays(2, file, '--data-dir', target, '--bump-revision', '-3', '--mark-compacted'), /whole number/);
    assert.match(await restoreSays(2, file, '--data-dir', target, '--initial-cluster', 'a=http://h:1'), /"default" is not in --initial-cluster/);
    assert.match(await restoreSays(2, file, '--no-such-flag'), /unknown option/);
    assert.match(await snapshotSays(2, 'verify'), /a backup is needed/);
    assert.match(await snapshotSays(2, 'status', file, '-w', 'xml'), /--write-out is one of/);
    assert.match(await snapshotSays(2, 'save'), /unknown command/);
    assert.deepEqual(readdirSync(dir), before);
  });

  it('--bump-revision with --mark-compacted says what became of the revision', async () => {
    const text = await restoreSays(0, file, '--data-dir', join(dir, 'bumped'), '--bump-revision', '100', '--mark-compacted', '-w', 'json');
    const json = JSON.parse(text) as Record<string, unknown>;
    assert.deepEqual([json['revision'], json['compactRevision']], [121, 121]);
  });

  it('a file that is something else, or a folder without backups, is said to be so', async () => {
    const other = join(dir, 'other.db');
    writeFileSync(other, 'x'.repeat(5000));
    assert.match(await snapshotSays(1, 'status', other), /does not begin as a backup/);
    const folder = join(dir, 'folder');
    mkdirSync(folder);
    assert.match(await snapshotSays(2, 'verify', folder), /holds no backup/);
  });
});
