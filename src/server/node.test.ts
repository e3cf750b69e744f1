import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { get, put } from '../api/testing/requests.js';
import { ReplicaError } from '../replica/base/errors.js';
import { freePorts } from './free-ports.js';
import { openNode, type OpenedNode } from './node.js';
import { buildConfig, type NodeConfig } from './options/config.js';
import { parseOptions } from './options/parse.js';

/** Only Linux says which files a process holds. */
const SEES_DESCRIPTORS = existsSync('/proc/self/fd');

describe('a node in this process', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-node-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('holds nothing of its directory after its stop', async () => {
    const [port = 0] = await freePorts(1);
    const node = await open(alone(dir, port));
    assert.ok(!SEES_DESCRIPTORS || held(dir).length > 0, 'an open node holds files');
    await node.stop();
    assert.deepEqual(held(dir), []);
  });

  it('that is refused for its identity holds nothing, and the directory can be opened again', async () => {
    const [port = 0] = await freePorts(1);
    await (await open(alone(dir, port))).stop();
    await assert.rejects(open(alone(dir, port, 'another-cluster')),
      (error: unknown) => error instanceof ReplicaError && error.code === 'WRONG_IDENTITY');
    assert.deepEqual(held(dir), []);
    await (await open(alone(dir, port))).stop();
  });

  it('whose port is taken holds nothing, and starts once the port is free', async () => {
    const taken = await listen();
    const { port } = taken.address() as { port: number };
    await assert.rejects(open(alone(dir, port)), /cannot listen on 127\.0\.0\.1/);
    assert.deepEqual(held(dir), []);
    await close(taken);
    await (await open(alone(dir, port))).stop();
    assert.deepEqual(held(dir), []);
  });

  it('D1 that waits for its log can be asked all the same, can be stopped, and serves writes once an entry is back', async () => {
    const ports = await freePorts(3);
    const configs = ports.map((_, i) => oneOf(join(dir, String(i)), ports, i));
    let nodes = await Promise.all(configs.map(open));
    const [{ store }] = nodes as [OpenedNode];
    await until(() => store.status().leader !== 0);
    for (const key of ['first', 'second', 'a']) await store.put(put(key, 'a1 value of the last put'));
    // A majority is enough for the writer; the log of each is to be damaged at the same entry.
    await until(() => nodes.every((node) => node.store.status().revision === store.status().revision));
    await Promise.all(nodes.map((node) => node.stop()));
    const paths = configs.map(({ dataDir }) => join(dataDir, 'log', '0000000000000001.seg'));
    const whole = paths.map((path) => readFileSync(path));
    // The header of the batch stays, and says what it held.
    for (const [i, path] of paths.entries()) {
      const bytes = Buffer.from(whole[i] as Buffer);
      writeFileSync(path, bytes.fill(0xff, ...lastEntry(bytes)));
    }
    nodes = await Promise.all(configs.map(open));
    try {
      for (const node of nodes) {
        assert.match(node.store.status().waitsFor ?? '', /log entry/);
        assert.equal((await node.store.range({ ...get('first'), serializable: true })).kvs.length, 1);
        await assert.rejects(node.store.put(put('b', '2')), { code: 'NO_LEADER' });
      }
      await nodes[0]?.stop();
      assert.deepEqual(held(configs[0]?.dataDir ?? ''), []);
      writeFileSync(paths[0] as string, whole[0] as Buffer);
      nodes[0] = await open(configs[0] as NodeConfig);
      await until(() => nodes.every((node) => node.store.status().leader !== 0));
      for (const node of nodes) assert.equal((await node.store.range(get('a'))).kvs.length, 1);
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
    }
  }).timeout(30_000);

  it('that is refused while it joins answers nobody any more', async () => {
    const ports = await freePorts(3);
    const configs = ports.map((_, i) => oneOf(join(dir, String(i)), ports, i));
    const nodes = await Promise.all(configs.map(open));
    try {
      const [first = assert.fail(), ...others] = configs.map((config, i) => ({ config, node: nodes[i] as OpenedNode }));
      // From here on the others have something to remember of it.
      await first.node.store.put(put('a', '1'));
      await until(() => others.some(({ node }) => node.store.status().leader !== 0));
      await first.node.stop();
      rmSync(first.config.dataDir, { recursive: true });
      await assert.rejects(open(first.config), (error: unknown) => error instanceof ReplicaError && error.code === 'EMPTIED');
      assert.deepEqual(held(first.config.dataDir), []);
      await close(await listen(ports[0]));
    } finally {
      await Promise.all(nodes.slice(1).map((node) => node.stop()));
    }
  });
});

function open(config: NodeConfig): Promise<OpenedNode> {
  return openNode(config, { onFatal: (error) => assert.fail(`the node ended: ${String(error)}`) });
}

function alone(dir: string, port: number, token = 'a-cluster'): NodeConfig {
  return buildConfig(parseOptions([...flags(dir, port), '--initial-cluster', `n=http://127.0.0.1:${port}`, '--initial-cluster-token', token], {}));
}

function flags(dir: string, port: number): string[] {
  const url = `http://127.0.0.1:${port}`;
  return ['--name', 'n', '--data-dir', dir, '--listen-peer-urls', url, '--initial-advertise-peer-urls', url];
}

function oneOf(dir: string, ports: readonly number[], i: number): NodeConfig {
  const cluster = ports.map((port, n) => `n${n}=http://127.0.0.1:${port}`).join(',');
  const url = `http://127.0.0.1:${ports[i]}`;
  const urls = ['--listen-peer-urls', url, '--initial-advertise-peer-urls', url];
  return buildConfig(parseOptions(['--name', `n${i}`, '--data-dir', dir, ...urls, '--initial-cluster', cluster], {}));
}

/** From its first byte to its last, in the first segment of a log. */
function lastEntry(segment: Buffer): [number, number] {
  const at = segment.lastIndexOf('a1 value of the last put');
  assert.ok(at > 0);
  return [at, at + 8];
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

/** Paths below `dir` that this process has open. */
function held(dir: string): string[] {
  if (!SEES_DESCRIPTORS) return [];
  const open: string[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      if (path.startsWith(dir)) open.push(path);
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return open;
}

function listen(port = 0): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject).listen(port, '127.0.0.1', () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
