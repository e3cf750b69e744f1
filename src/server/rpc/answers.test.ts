import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { RawClient, type Answer } from '../testing/raw-client.js';
import { serveStore, type Served } from '../testing/serve.js';

const QUOTA = 64 * 1024 * 1024;
const [KEY, VALUE] = [Buffer.from('k'), Buffer.from('v')];

describe('answers of a member', function () {
  this.timeout(30_000);
  let cluster: Cluster;
  let served: Omit<Served, 'store'>;
  let client: RawClient;

  before(async () => {
    cluster = await Cluster.start(calm, { members: 1, quotaBytes: QUOTA });
    const [node] = cluster.nodes;
    assert.ok(node);
    await cluster.until('the newest version', () => node.replica.state.version === NEWEST_VERSION);
    await node.store.put({ key: utf8('k'), value: utf8('v'), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
    served = await serveStore(node.store);
    client = new RawClient(served.endpoint);
  });

  after(async () => {
    client.close();
    await served.server.drain(0);
    await cluster.close();
  });

  const call = (method: string, request: object = {}): Promise<Answer> => {
    const [service = '', name = ''] = method.split('/');
    return client.call(`etcdserverpb.${service}`, name, request);
  };

  async function stream(service: string, name: string, request: object = {}): Promise<Answer[]> {
    const answers: Answer[] = [];
    for await (const answer of client.listen(`etcdserverpb.${service}`, name, request)) answers.push(answer as Answer);
    return answers;
  }

  it('Status has its sizes, its quota and the versions of the cluster', async () => {
    const { dbSize, dbSizeInUse, dbSizeQuota, storageVersion, downgradeInfo } = await call('Maintenance/Status');
    assert.equal(dbSizeQuota, String(QUOTA));
    assert.ok(Number(dbSize) > 0);
    assert.equal(dbSizeInUse, dbSize);
    assert.equal(storageVersion, String(NEWEST_VERSION));
    assert.deepEqual(downgradeInfo, { enabled: false, targetVersion: '' });
    const target = String(NEWEST_VERSION - 1);
    await call('Maintenance/Downgrade', { action: 'ENABLE', version: target });
    const { downgradeInfo: during } = await call('Maintenance/Status');
    await call('Maintenance/Downgrade', { action: 'CANCEL' });
    assert.deepEqual(during, { enabled: true, targetVersion: target });
  });

  it('AuthStatus has the revision that each change moves', async () => {
    const { authRevision: before } = await call('Auth/AuthStatus');
    await call('Auth/RoleAdd', { name: 'r' });
    const { enabled, authRevision } = await call('Auth/AuthStatus');
    assert.deepEqual([enabled, Number(authRevision)], [false, Number(before) + 1]);
  });

  it('LeaseTimeToLive has what was granted beside what is left', async () => {
    await call('Lease/LeaseGrant', { ID: '7', TTL: '600' });
    const { ID, TTL, grantedTTL } = await call('Lease/LeaseTimeToLive', { ID: '7' });
    assert.deepEqual([ID, grantedTTL], ['7', '600']);
    assert.ok(Number(TTL) > 0 && Number(TTL) <= 600);
  });

  it('MemberList has the URLs of each member', async () => {
    const { members } = await call('Cluster/MemberList');
    const [{ name, peerURLs, clientURLs, isLearner } = {}] = members as Record<string, unknown>[];
    const config = cluster.nodes[0]?.replica.membership.members[0];
    assert.ok(config);
    assert.deepEqual([name, peerURLs, clientURLs, isLearner], [config.name, config.peerUrls, ['http://n1:2379'], false]);
  });

  it('Txn answers each operation in kind', async () => {
    const { responses } = await call('KV/Txn', {
      success: [{ request_put: { key: KEY, value: VALUE } }, { request_range: { key: KEY } }, { request_txn: { failure: [], success: [] } },
        { request_delete_range: { key: Buffer.from('none') } }],
    });
    const [first, second, third, fourth] = responses as Record<string, Record<string, unknown>>[];
    assert.deepEqual([first?.['response'], first?.['response_put']?.['prev_kv']], ['response_put', null]);
    assert.deepEqual([second?.['response'], second?.['response_range']?.['count']], ['response_range', '1']);
    assert.deepEqual([third?.['response'], third?.['response_txn']?.['succeeded']], ['response_txn', true]);
    assert.deepEqual([fourth?.['response'], fourth?.['response_delete_range']?.['deleted']], ['response_delete_range', '0']);
  });

  it('RangeStream answers with a range in each message', async () => {
    const answers = await stream('KV', 'RangeStream', { key: KEY });
    const ranges = answers.map(({ range_response }) => range_response as { kvs: { value: Buffer }[] });
    assert.deepEqual(ranges.flatMap(({ kvs }) => kvs.map(({ value }) => value)), [VALUE]);
  });

  it('Snapshot says how much is still to come', async () => {
    const answers = await stream('Maintenance', 'Snapshot');
    const digest = answers.pop();
    assert.deepEqual([(digest?.['blob'] as Buffer).length, digest?.['remaining_bytes']], [32, '0']);
    let left = answers.reduce((sum, { blob }) => sum + (blob as Buffer).length, 0);
    assert.ok(left > 0);
    for (const { remaining_bytes, blob } of answers) assert.equal(Number(remaining_bytes), (left -= (blob as Buffer).length));
  });
});
