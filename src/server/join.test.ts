import assert from 'node:assert/strict';
import { MemoryDisk } from '../base/disk/memory-disk.js';
import { codeOf } from '../base/errors.js';
import type { NetworkHandler } from '../base/env.js';
import { silent } from '../base/testing/silent.js';
import { encodeDescription } from '../replica/state/description.js';
import { staticMembers, type Members } from '../replica/state/members.js';
import { nodeClock, NodeRandom } from './env/node-env.js';
import { freePorts } from './free-ports.js';
import { identityOf } from './join.js';
import type { NodeConfig } from './options/config.js';
import { PeerNetwork } from './peer-network.js';

const ORIGIN = [{ id: 1, name: 'a', peerUrls: ['http://127.0.0.1:1'] }];
const OWN = 'http://127.0.0.1:9';

/** Of a cluster that began with `a`, as one of its members tells it. */
function told(own: number, removed: readonly number[] = []): Members {
  const added = { id: own, name: '', peerUrls: [OWN], clientUrls: undefined };
  const members = staticMembers(ORIGIN);
  return { ...members, isStatic: false, list: [...members.list, added], removed };
}

describe('a member that joins', () => {
  const nets: PeerNetwork[] = [];

  afterEach(async () => {
    for (const net of nets.splice(0)) await net.stop();
  });

  /** Members that answer so; their URLs. */
  async function cluster(...answers: readonly Members[]): Promise<string[]> {
    const ports = await freePorts(answers.length);
    await Promise.all(answers.map((members, i) => {
      const net = new PeerNetwork({
        self: 1, clusterId: 77n, peers: new Map(), listen: [`127.0.0.1:${ports[i]}`], clock: nodeClock, random: new NodeRandom(), events: silent,
      });
      nets.push(net);
      const handler: NetworkHandler = {
        onFrame: () => undefined, onDisconnect: () => undefined, onRemoved: () => undefined,
        onCall: () => Promise.resolve(encodeDescription({ clusterId: 77n, members })),
      };
      return net.start(handler);
    }));
    return ports.map((port) => `http://127.0.0.1:${port}`);
  }

  function config(urls: readonly string[], existing = true): NodeConfig {
    const others = urls.map((url, i) => ({ id: 100 + i, name: `m${i}`, peerUrls: [url] }));
    return { name: 'new', memberId: 555, clusterId: 5n, existing, members: [...others, { id: 555, name: 'new', peerUrls: [OWN] }] } as unknown as NodeConfig;
  }

  it('is who the cluster says, and still is without the others, whatever the flags say then', async () => {
    const disk = new MemoryDisk();
    const identity = await identityOf(config(await cluster(told(9))), disk);
    assert.deepEqual([identity.self, identity.clusterId], [9, 77n]);
    assert.deepEqual(identity.members, ORIGIN);
    assert.deepEqual(identity.joins.map(({ id, name }) => [id, name]), [[1, 'a'], [9, 'new']]);
    assert.deepEqual(await identityOf(config([]), disk), identity);
    assert.deepEqual(await identityOf(config([], false), disk), identity);
  });

  it('R1 is never who was removed, although one that is behind still says so', async () => {
    const identity = await identityOf(config(await cluster(told(8), told(9, [8]))), new MemoryDisk());
    assert.equal(identity.self, 9);
  });

  it('with a new cluster, or a directory of its own, goes by its flags', async () => {
    const disk = new MemoryDisk();
    assert.deepEqual([(await identityOf(config([], false), disk)).self, (await identityOf(config([], false), disk)).joins], [555, []]);
    (await disk.open('hardstate', 'create')).close();
    assert.equal((await identityOf(config([]), disk)).self, 555);
  });

  it('R1 does not start when the file that says who it is cannot be read', async () => {
    const disk = new MemoryDisk();
    await identityOf(config(await cluster(told(9))), disk);
    const file = await disk.open('joined', 'write');
    await file.write(Uint8Array.of(255), 20);
    file.close();
    await assert.rejects(identityOf(config([]), disk), (error) => codeOf(error) === 'JOINED_UNREADABLE');
  });
});
