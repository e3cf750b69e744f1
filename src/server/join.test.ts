import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryDisk } from '../base/disk/memory-disk.js';
import { codeOf } from '../base/errors.js';
import type { NetworkHandler } from '../base/env.js';
import type { KintsugiEvent } from '../base/events.js';
import { silent } from '../base/testing/silent.js';
import { HardStateStore } from '../replica/hard-state/hard-state.js';
import { encodeDescription, type ClusterDescription } from '../replica/state/description.js';
import type { Identity } from '../replica/state/joined.js';
import { staticMembers, type Members } from '../replica/state/members.js';
import { nodeClock, NodeRandom } from './env/node-env.js';
import { freePorts } from './free-ports.js';
import { identityOf, JOINED_TOLD_ANEW } from './join.js';
import { clusterOf, type NodeConfig } from './options/config.js';
import { restoredIdentity } from './options/restored-cluster.js';
import { PeerNetwork } from './peer-network.js';

const ORIGIN = [{ id: 1, name: 'a', peerUrls: ['http://127.0.0.1:1'] }];
const OWN = 'http://127.0.0.1:9';

interface Tale {
  readonly own: number;
  readonly removed?: readonly number[];
  readonly tokens?: readonly number[];
  /** Ids of those of the answering members that vote. */
  readonly voters?: readonly number[];
}

/**
 * Of a cluster that began with `a`, as one of its members tells it. The member at `urls[i]` is 20 +
 * i.
 */
function told({ own, removed = [], tokens = [], voters = [20] }: Tale, urls: readonly string[]): Members {
  const added = { id: own, name: '', peerUrls: [OWN], clientUrls: undefined };
  const others = urls.map((url, i) => ({ id: 20 + i, name: `m${i}`, peerUrls: [url], clientUrls: undefined }));
  const members = staticMembers(ORIGIN);
  const confState = { ...members.confState, voters };
  return { ...members, isStatic: false, list: [...members.list, ...others, added], removed, tokens, confState };
}

describe('a member that joins', () => {
  const nets: PeerNetwork[] = [];

  afterEach(async () => {
    for (const net of nets.splice(0)) await net.stop();
  });

  /** Members that answer so, `undefined` one that is not there yet; their URLs. */
  async function cluster(...tales: readonly (Tale | undefined)[]): Promise<string[]> {
    const ports = await freePorts(tales.length);
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    await Promise.all(tales.map((tale, i) => (tale === undefined ? undefined : answers(urls, i, tale))));
    return urls;
  }

  function answers(urls: readonly string[], i: number, tale: Tale): Promise<void> {
    return tells(urls[i] ?? '', { clusterId: 77n, members: told(tale, urls) });
  }

  function tells(url: string, description: ClusterDescription): Promise<void> {
    const own = { self: 1, clusterId: description.clusterId, peers: new Map(), listen: [new URL(url).host] };
    const net = new PeerNetwork({ ...own, clock: nodeClock, random: new NodeRandom(), events: silent });
    nets.push(net);
    const handler: NetworkHandler = {
      onFrame: () => undefined, onDisconnect: () => undefined, onRemoved: () => undefined,
      onCall: () => Promise.resolve(encodeDescription(description)),
    };
    return net.start(handler);
  }

  function config(urls: readonly string[], existing = true): NodeConfig {
    const others = urls.map((url, i) => ({ id: 100 + i, name: `m${i}`, peerUrls: [url] }));
    return { name: 'new', electionMs: 1_000, memberId: 555, clusterId: 5n, existing, members: [...others, { id: 555, name: 'new', peerUrls: [OWN] }] } as unknown as NodeConfig;
  }

  it('is who the cluster says, and still is without the others, whatever the flags say then', async () => {
    const disk = new MemoryDisk();
    const identity = await identityOf(config(await cluster({ own: 9 })), disk);
    assert.deepEqual([identity.self, identity.clusterId], [9, 77n]);
    assert.deepEqual(identity.members, ORIGIN);
    assert.deepEqual(identity.joins.map(({ id, name }) => [id, name]), [[1, 'a'], [20, 'm0'], [9, 'new']]);
    assert.deepEqual(await identityOf(config([]), disk), identity);
    assert.deepEqual(await identityOf(config([], false), disk), identity);
  });

  it('R1 is never who was removed, although one that is behind still says so', async () => {
    const identity = await identityOf(config(await cluster({ own: 8 }, { own: 9, removed: [8] })), new MemoryDisk());
    assert.equal(identity.self, 9);
  });

  it('R1 takes no word of a lone member that is behind: it waits for a majority of those that vote by it', async () => {
    const behind = { own: 8, tokens: [1], voters: [20, 21, 22] };
    const newer = { own: 9, removed: [8], tokens: [1, 2, 3], voters: [20, 21, 22] };
    const urls = await cluster(behind, undefined, undefined);
    const identity = identityOf(config(urls), new MemoryDisk());
    await sleep(600);
    await answers(urls, 1, newer);
    assert.equal((await identity).self, 9);
  });

  it('asks those that vote, too, whom its flags do not name', async () => {
    const tale = { own: 9, voters: [20, 21, 22] };
    const [named = assert.fail()] = await cluster(tale, tale, tale);
    assert.equal((await identityOf(config([named]), new MemoryDisk())).self, 9);
  });

  it('says which members to start when too few answer', async () => {
    const urls = await cluster({ own: 8, voters: [20, 21, 22] }, undefined, undefined);
    await assert.rejects(identityOf({ ...config(urls), electionMs: 10 }, new MemoryDisk()), (error: Error) => {
      assert.equal(codeOf(error), 'NO_MEMBER_ANSWERS');
      assert.ok(error.message.includes(`start those at ${urls[1]}, ${urls[2]}`), error.message);
      return true;
    });
  });

  it('with a new cluster, or a directory of its own, goes by its flags', async () => {
    const disk = new MemoryDisk();
    assert.deepEqual([(await identityOf(config([], false), disk)).self, (await identityOf(config([], false), disk)).joins], [555, []]);
    (await disk.open('hardstate', 'create')).close();
    assert.equal((await identityOf(config([]), disk)).self, 555);
  });

  async function spoil(disk: MemoryDisk, ...paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const file = await disk.open(path, 'write');
      await file.write(Uint8Array.of(255), 20);
      file.close();
    }
  }

  async function hardStateOf(disk: MemoryDisk, memberId: number, clusterId: bigint): Promise<void> {
    const store = await HardStateStore.open(disk);
    await store.create({ term: 5, vote: 0, incarnation: 4, manifestGeneration: 0, manifestDigest: '0'.repeat(32), clusterId, memberId });
    await store.close();
  }

  it('R5 is who either copy of the file says, and does not start when neither can be read', async () => {
    const disk = new MemoryDisk();
    const identity = await identityOf(config(await cluster({ own: 9 })), disk);
    const copy = { path: 'joined.copy', bytes: disk.node('joined.copy')?.bytes.slice() ?? assert.fail() };
    await spoil(disk, 'joined');
    assert.deepEqual(await identityOf(config([]), disk), identity);
    await disk.unlink('joined');
    assert.deepEqual(await identityOf(config([]), disk), identity);
    await spoil(disk, 'joined.copy');
    await assert.rejects(identityOf(config([]), disk), { code: 'JOINED_UNREADABLE' });
    // As an older program leaves it.
    await disk.rename('joined.copy', 'joined');
    (await disk.open('joined', 'write')).writeSync(copy.bytes, 0);
    assert.deepEqual(await identityOf(config([]), disk), identity);
  });

  it('R5 whose file is lost, or cannot be read, asks the others who the member is whose hard state it has', async () => {
    const urls = await cluster({ own: 9 });
    for (const lost of [(disk: MemoryDisk) => Promise.all([disk.unlink('joined'), disk.unlink('joined.copy')]), (disk: MemoryDisk) => spoil(disk, 'joined', 'joined.copy')]) {
      const disk = new MemoryDisk();
      const identity = await identityOf(config(urls), disk);
      await hardStateOf(disk, 9, 77n);
      await lost(disk);
      const heard: string[] = [];
      const events = { emit: (event: KintsugiEvent) => void heard.push(event.type === 'warning' ? event.message : '') };
      assert.deepEqual(await identityOf(config(urls), disk, undefined, events), identity);
      assert.deepEqual(heard, [JOINED_TOLD_ANEW]);
      assert.deepEqual(await identityOf(config([]), disk), identity);
    }
  });

  it('R5 is nobody whom the others do not tell at its place, or whose flags name the member of the directory', async () => {
    const disk = new MemoryDisk();
    await hardStateOf(disk, 9, 77n);
    await assert.rejects(identityOf(config([]), disk), { code: 'JOINED_MISSING' });
    await assert.rejects(identityOf(config(await cluster({ own: 8 })), disk), (error: Error) => {
      assert.equal(codeOf(error), 'JOINED_MISSING');
      assert.match(error.message, /is of member 9 of cluster 4d.*joined is gone.*flags.*kintsugi recover --data-dir DIR/);
      return true;
    });
    const removed = await cluster({ own: 9, removed: [9] });
    await assert.rejects(identityOf(config(removed), disk), { code: 'JOINED_MISSING' });
    const others = new MemoryDisk();
    await hardStateOf(others, 100, 77n);
    // The start says WRONG_IDENTITY: `open-state.ts`.
    assert.equal((await identityOf(config(await cluster({ own: 9 })), others)).self, 555);
  });

  describe('whose cluster was restored from a backup', () => {
    const token = 'etcd-cluster';

    /** All that tell of it tell the same. */
    async function restoredCluster(telling: number): Promise<{ readonly urls: string[]; readonly identity: Identity }> {
      const urls = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`);
      const initialCluster = [`new=${OWN}`, ...urls.map((url, i) => `m${i}=${url}`)].join(',');
      const identity = restoredIdentity(clusterOf({ name: 'new', initialCluster, token }), token, 'aa'.repeat(16));
      const { clusterId } = identity;
      await Promise.all(urls.slice(0, telling).map((url) => tells(url, { clusterId, members: staticMembers(identity.members) })));
      return { urls, identity };
    }

    it('R1 with an empty directory is who it is there, whose ids its flags cannot say', async () => {
      const { urls, identity } = await restoredCluster(2);
      const disk = new MemoryDisk();
      const found = await identityOf({ ...config(urls, false), token }, disk);
      assert.deepEqual([found.self, found.clusterId, found.joins], [identity.self, identity.clusterId, []]);
      assert.deepEqual((await identityOf({ ...config([], false), token }, disk)).self, identity.self, 'it is kept');
    });

    it('R1 founds no other one by its flags while too few of it answer', async () => {
      const { urls } = await restoredCluster(1);
      const disk = new MemoryDisk();
      await assert.rejects(identityOf({ ...config(urls, false), token }, disk), (error: Error) => {
        assert.equal(codeOf(error), 'NO_MEMBER_ANSWERS');
        assert.ok(error.message.includes(`start those at ${urls[1]}`), error.message);
        return true;
      });
      assert.deepEqual(disk.files(), []);
    });

    it('R1 goes by its flags if they have another token', async () => {
      const { urls } = await restoredCluster(2);
      assert.equal((await identityOf({ ...config(urls, false), token: 'another' }, new MemoryDisk())).self, 555);
    });
  });
});
