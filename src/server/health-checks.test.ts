import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { Metrics } from '../observability/metrics.js';
import { Cluster } from '../node/testing/cluster.js';
import type { ClusterNode } from '../node/testing/cluster-node.js';
import { calm } from '../node/testing/surroundings.js';
import { put } from '../api/testing/requests.js';
import { listenHttp, OpsPages, opsServer } from './ops-http.js';
import { Health } from './rpc/health-service.js';

describe('health of real members', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  const servers: Server[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
    await cluster.close();
  });

  async function pagesOf(node: ClusterNode): Promise<(path: string) => Promise<[number, string]>> {
    const server = opsServer(new OpsPages({ store: node.store, metrics: new Metrics(), health: new Health(), dataDir: tmpdir(), version: '1' }));
    servers.push(server);
    const base = `http://127.0.0.1:${await listenHttp(server, '127.0.0.1', 0)}`;
    return async (path) => {
      const response = await fetch(base + path);
      return [response.status, await response.text()];
    };
  }

  it('D1 a member without a quorum is live and reads what it has, and is not ready', async () => {
    cluster = await Cluster.start(calm);
    const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
    await a.store.put(put('k', 'v'));
    const get = await pagesOf(a);
    for (const path of ['/livez', '/readyz', '/health', '/health?serializable=true']) assert.equal((await get(path))[0], 200, path);
    await cluster.kill(b);
    await cluster.kill(c);
    await cluster.until('no leader', () => !a.store.hasLeader);
    assert.deepEqual(await get('/health'), [503, '{"health":"false","reason":"RAFT NO LEADER"}\n']);
    assert.deepEqual(await get('/health?serializable=true'), [200, '{"health":"true","reason":""}\n']);
    assert.deepEqual(await get('/livez'), [200, 'ok\n']);
    const [status, text] = await get('/readyz');
    assert.equal(status, 503);
    assert.match(text, /\n\[\+\]serializable_read ok\n\[-\]linearizable_read failed: etcdserver: [a-z ]+/);
  });

  it('a learner is live and not ready, and becomes it with its vote', async () => {
    cluster = await Cluster.start(calm);
    const [a] = cluster.nodes as [ClusterNode];
    const id = 9;
    await a.store.changeMembers({ kind: 'add', id, peerUrls: ['http://learner:2380'], learner: true });
    const learner = cluster.machine(id, a);
    await cluster.up(learner);
    await cluster.until('the learner to know what it is', () => learner.store.members().find((member) => member.id === id)?.isLearner);
    const get = await pagesOf(learner);
    assert.deepEqual(await get('/livez'), [200, 'ok\n']);
    assert.deepEqual(await get('/readyz/non_learner'), [503, '[-]non_learner failed: not supported for learner\n\n']);
    assert.deepEqual(await get('/readyz?exclude=non_learner'), [200, 'ok\n'], 'it reads what is newest all the same');
    assert.deepEqual(await get('/health'), [200, '{"health":"true","reason":""}\n']);
    const promote = (): Promise<boolean> => a.store.changeMembers({ kind: 'promote', id }).then(() => true, () => false);
    while (!(await promote())) await new Promise((resolve) => setTimeout(resolve, 20));
    await cluster.until('its vote', () => learner.store.members().find((member) => member.id === id)?.isLearner === false);
    assert.deepEqual(await get('/readyz'), [200, 'ok\n']);
  });
});
