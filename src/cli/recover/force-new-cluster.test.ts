import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { put } from '../../api/testing/requests.js';
import { Cluster } from '../../node/testing/cluster.js';
import { bytesOf } from '../../node/testing/files.js';
import { load } from '../../node/testing/load.js';
import { resolved, rotEntries } from '../../node/testing/log-damage.js';
import { calm } from '../../node/testing/surroundings.js';
import { STAGE } from '../../replica/lost-cluster/takeover.js';
import { setAside } from '../../replica/readmission/set-aside.js';
import { markTakeover } from '../../replica/start/unfinished-takeover.js';
import { NodeDisk } from '../../server/node-disk.js';
import { FakeIo } from '../testing/fake-io.js';
import { recover } from './recover.js';

describe('kintsugi recover --force-new-cluster', function () {
  this.timeout(20_000);
  const files = new Map<string, Uint8Array>();
  let dir: string;
  let ours: string[];

  before(async () => {
    const cluster = await Cluster.start(calm, { members: 1 });
    const [node] = cluster.nodes;
    assert.ok(node);
    for (let i = 0; i < 20; i++) await node.store.put(put(`key${i}`, `value${i}`));
    await cluster.close();
    for (const path of node.disk.files()) files.set(path, bytesOf(node.disk, path));
  });

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-lost-'));
    for (const [path, bytes] of files) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), bytes);
    }
    ours = ['--force-new-cluster', '--data-dir', dir, '--name', 'a', '--initial-advertise-peer-urls', 'http://10.0.0.1:2380'];
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  async function said(code: number, ...args: string[]): Promise<string> {
    const io = new FakeIo();
    assert.equal(await recover(args, io), code, io.text + io.errors);
    return io.text + io.errors;
  }

  it('says what is kept and what may be lost, and changes nothing until it is told to', async () => {
    const before = readdirSync(dir, { recursive: true }).sort();
    const dry = await said(0, ...ours, '--dry-run');
    assert.match(dry, /member 1 of cluster 4d, in term 1/);
    assert.match(dry, /KEPT: all up to entry \d+ of term 1: revision 21\n/);
    assert.match(dry, /NOT KNOWN: what the other members acknowledged after entry \d+ is not here/);
    assert.match(dry, /nothing was changed/);
    assert.match(await said(1, ...ours), /nothing was changed: say --yes/);
    assert.match(await said(2, '--force-new-cluster', '--data-dir', dir, '--yes'), /does not say where this member is found/);
    assert.match(await said(2, ...ours, '--yes', '--bump-revision=5'), /needs --mark-compacted/);
    assert.deepEqual(readdirSync(dir, { recursive: true }).sort().filter((name) => name !== 'LOCK'), before);
  });

  it('makes the new cluster, and says where the old files are and what to do next', async () => {
    const json = JSON.parse(await said(0, ...ours, '--yes', '-w', 'json', '--bump-revision', '10', '--mark-compacted')) as {
      clusterId: string; made: { clusterId: string; aside: string; revision: number; compactRevision: number; peerUrls: string[] };
    };
    assert.notEqual(json.made.clusterId, json.clusterId);
    assert.deepEqual([json.made.revision, json.made.compactRevision, json.made.peerUrls], [31, 31, ['http://10.0.0.1:2380']]);
    assert.ok(existsSync(join(json.made.aside, 'hardstate')));
    assert.ok(!existsSync(join(dir, STAGE)), 'nothing of the stage is left');
    // Its own name and URL are known now, and it can be done again.
    const again = await said(0, '--force-new-cluster', '--data-dir', dir, '--yes');
    assert.match(again, /made: cluster [0-9a-f]+ of one member, a [0-9a-f]+ at http:\/\/10\.0\.0\.1:2380, at revision 31/);
    assert.match(again, /kintsugi ctl member add/);
  });

  it('what is lost for certain has to be accepted', async () => {
    const disk = await NodeDisk.open(dir);
    const { lastIndex } = (await resolved(disk)).table;
    await rotEntries(disk, [lastIndex - 5]);
    await disk.close();
    const dry = await said(0, ...ours, '--dry-run');
    assert.match(dry, new RegExp(`LOST FOR CERTAIN: entries ${lastIndex - 5} to ${lastIndex}: log entry ${lastIndex - 5} is damaged`));
    assert.match(dry, /5 of them can be read, and are given up.*"key19"/s);
    assert.match(await said(1, ...ours, '--yes'), /--accept-loss/);
    assert.match(await said(0, ...ours, '--yes', '--accept-loss'), /at revision 15/);
  });

  it('D1 a log that a re-admission has set aside is named, and not given up without a word', async () => {
    const disk = await NodeDisk.open(dir);
    const { lastIndex } = (await resolved(disk)).table;
    await setAside(disk, 0xabc);
    await disk.close();
    assert.match(await said(1, ...ours, '--yes'), new RegExp(`nothing here to go on with. But entries 1 to ${lastIndex} are in aside/abc/log`));
    // As it says.
    for (const path of ['hardstate', ...readdirSync(join(dir, 'aside/abc/log')).map((name) => `log/${name}`)]) {
      renameSync(join(dir, 'aside/abc', path), join(dir, path));
    }
    assert.match(await said(0, ...ours, '--yes'), /at revision 21/);
  });

  it('D1 nor where there is a log to go on from, which does not reach as far', async () => {
    const cluster = await Cluster.start(calm, { members: 1 });
    await load(cluster, 0, 40);
    await cluster.close();
    const [node] = cluster.nodes;
    assert.ok(node);
    const { lastIndex } = (await resolved(node.disk)).table;
    mkdirSync(join(dir, 'aside/abc/log'), { recursive: true });
    for (const path of node.disk.files()) if (path.startsWith('log/')) writeFileSync(join(dir, 'aside/abc', path), bytesOf(node.disk, path));
    const dry = await said(0, ...ours, '--dry-run');
    assert.match(dry, new RegExp(`NOT CONSIDERED: entries 1 to ${lastIndex} in aside/abc/log`));
    const [, beyond, kept] = /(\d+) after entry (\d+) can be read, may have been acknowledged, and are NOT in the new cluster/.exec(dry) ?? assert.fail(dry);
    assert.equal(Number(beyond) + Number(kept), lastIndex);
    assert.ok(Number(beyond) > 0 && !dry.includes('LOST FOR CERTAIN'), dry);
    assert.match(await said(1, ...ours, '--yes'), /--accept-loss/);
    assert.match(await said(0, ...ours, '--yes', '--accept-loss'), /made: cluster/);
  });

  it('R5 goes on with what was cut short, and only that', async () => {
    const disk = await NodeDisk.open(dir);
    await markTakeover(disk, { phase: 'placing', aside: 'before-1', command: 'kintsugi recover again' });
    await disk.close();
    assert.match(await said(1, ...ours, '--dry-run'), /was cut short.*kintsugi recover again/);
    assert.match(await said(0, ...ours), /what was cut short is done/);
    assert.ok(!existsSync(join(dir, 'takeover')));
  });

  it('refuses what is no data directory', async () => {
    const empty = join(dir, 'empty');
    mkdirSync(empty);
    assert.match(await said(1, '--force-new-cluster', '--data-dir', empty, '--dry-run'), /not the data directory of a member/);
  });
});
