/**
 * The package as it is published: packed, unpacked into an application beside what its own
 * `dependencies` name and nothing else, and used by every way in that needs no other package.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT, type Binary } from '../scripts/lib/binary.js';
import { Cluster } from '../scripts/lib/cluster.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import { kintsugiOnly } from './harness.js';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string } | string>>;
  readonly bin: { readonly kintsugi: string };
}

const run = promisify(execFile);

const APPLICATION = `
import { openNode } from 'kintsugi';
import { connect } from 'kintsugi/client';
import { openMemory } from 'kintsugi/testing';

async function use(client) {
  await client.put('greeting', 'hello');
  return Buffer.from((await client.get('greeting')).value).toString();
}

const node = await openNode({ dataDir: 'data' });
const memory = await openMemory();
const client = connect({ endpoints: [process.argv[2]] });
console.log(JSON.stringify([await use(node.client), await use(memory.client), await use(client)]));
client.close();
await memory.close();
await node.close();
`;

describe('the package', function () {
  this.timeout(120_000);
  let dir: string;
  let unpacked: string;
  let manifest: Manifest;

  before(async function () {
    kintsugiOnly(this);
    ensureBuilt();
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-pack-'));
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', dir], { cwd: ROOT });
    manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
    const modules = join(dir, 'node_modules');
    unpacked = join(modules, 'kintsugi');
    mkdirSync(unpacked, { recursive: true });
    await run('sh', ['-c', `tar -xzf "${dir}"/kintsugi-*.tgz --strip-components=1 -C "${unpacked}"`]);
    for (const name of Object.keys(manifest.dependencies)) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    }
  });

  after(() => {
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  it('holds every file that its exports and its command name, types included', () => {
    const named = Object.values(manifest.exports).flatMap((each) => (typeof each === 'string' ? [] : [each.types, each.default]));
    assert.ok(named.length >= 10);
    assert.deepEqual([...named, manifest.bin.kintsugi].filter((file) => !existsSync(join(unpacked, file))), []);
  });

  it('opens a member, a store in memory and a client, and its command serves that', async () => {
    const binary: Binary = { kind: 'kintsugi', command: process.execPath, args: [join(unpacked, manifest.bin.kintsugi), 'start'], version: 'packed' };
    const cluster = await Cluster.create({ binary, dir: join(dir, 'cluster'), size: 1 });
    try {
      await cluster.start();
      writeFileSync(join(dir, 'application.mjs'), APPLICATION);
      const { stdout, stderr } = await run(process.execPath, ['application.mjs', cluster.urls[0] as string], { cwd: dir, timeout: 60_000 });
      assert.deepEqual(JSON.parse(stdout.trim().split('\n').at(-1) as string), ['hello', 'hello', 'hello'], stderr);
    } finally {
      await cluster.stop('SIGKILL');
    }
  });
});
