import assert from 'node:assert/strict';
import { serve, type Served } from '../../server/testing/serve.js';
import { FakeIo } from '../testing/fake-io.js';
import { ctl } from './ctl.js';

const ID = '7000000000000001';
const HEADER = '"cluster_id":193,"member_id":4097,"revision":1,"raft_term":3';
const HEADER_FIELDS = '"ClusterID" : 193\n"MemberID" : 4097\n"Revision" : 1\n"RaftTerm" : 3\n';
const DECIMAL = String(BigInt(`0x${ID}`));

describe('kintsugi ctl lease', () => {
  let served: Served;
  beforeEach(async () => (served = await serve()));
  afterEach(() => served.server.drain(100));

  async function run(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const io = new FakeIo({ KINTSUGI_ENDPOINTS: served.endpoint });
    const code = await ctl(args, io);
    return { code, out: io.text, err: io.errors };
  }
  const out = async (...args: string[]): Promise<string> => (await run(...args)).out;

  it('prints what etcdctl prints', async () => {
    assert.equal(await out('lease', 'list'), 'found 0 leases\n');
    assert.deepEqual(await run('lease', 'grant', '60'), { code: 0, out: `lease ${ID} granted with TTL(60s)\n`, err: '' });
    assert.equal(await out('put', 'a', '1', `--lease=${ID}`), 'OK\n');
    assert.equal(await out('put', 'b c', '1', '--lease', ID), 'OK\n');
    assert.match(await out('get', 'a', '-w', 'json'), new RegExp(`"lease":${DECIMAL}[,}]`));
    assert.equal(await out('lease', 'timetolive', ID), `lease ${ID} granted with TTL(60s), remaining(59s)\n`);
    assert.equal(await out('lease', 'timetolive', ID, '--keys'), `lease ${ID} granted with TTL(60s), remaining(59s), attached keys([a b c])\n`);
    assert.equal(await out('lease', 'keep-alive', '--once', ID), `lease ${ID} keepalived with TTL(60)\n`);
    assert.equal(await out('lease', 'list'), `found 1 leases\n${ID}\n`);
    assert.equal(await out('lease', 'revoke', ID), `lease ${ID} revoked\n`);
    assert.equal(await out('lease', 'timetolive', ID), `lease ${ID} already expired\n`);
  });

  it('prints it as JSON and as fields', async () => {
    assert.equal(await out('lease', 'grant', '60', '-w', 'json'), `{${HEADER},"ID":${DECIMAL},"TTL":60,"Error":""}\n`);
    assert.equal(await out('lease', 'timetolive', ID, '--keys', '-w=json'), `{${HEADER},"id":${DECIMAL},"ttl":59,"granted-ttl":60,"keys":null}\n`);
    await served.store.put({ key: Buffer.from('a'), value: Buffer.from(''), lease: BigInt(DECIMAL), prevKv: false, ignoreValue: false, ignoreLease: false });
    assert.match(await out('lease', 'timetolive', ID, '--keys=true', '-w=json'), /"keys":\["YQ=="\]\}\n$/);
    assert.match(await out('lease', 'timetolive', ID, '--keys', '-w=fields'), new RegExp(`"ID" : ${DECIMAL}\n"TTL" : 59\n"GrantedTTL" : 60\n"Key" : "a"\n$`));
    assert.equal(await out('lease', 'keep-alive', ID, '--once', '-w=json'), `{${HEADER},"ID":${DECIMAL},"TTL":60}\n`);
    assert.equal(await out('lease', 'keep-alive', ID, '--once', '-w=fields'), `${HEADER_FIELDS}"ID" : ${DECIMAL}\n"TTL" : 60\n`);
    assert.equal(await out('lease', 'list', '-w=json'), `{${HEADER},"leases":[{"id":${DECIMAL}}]}\n`);
    assert.equal(await out('lease', 'list', '-w=fields'), `${HEADER_FIELDS}"ID" : ${DECIMAL}\n`);
    assert.equal(await out('lease', 'revoke', ID, '-w=json'), `{"header":{${HEADER}}}\n`);
  });

  it('keep-alive goes on until the lease is gone', async () => {
    await out('lease', 'grant', '2');
    const running = run('lease', 'keep-alive', ID);
    while (served.store.lease.renewed === 0) await new Promise(setImmediate);
    await served.store.lease.revoke(BigInt(DECIMAL));
    assert.deepEqual(await running, { code: 0, out: `lease ${ID} keepalived with TTL(2)\nlease ${ID} expired or revoked.\n`, err: '' });
  });

  it('what cannot be is refused with the remedy, and changes nothing', async () => {
    for (const args of [['grant'], ['grant', 'x'], ['grant', '1', '2'], ['revoke'], ['revoke', 'xyz'], ['revoke', 'ffffffffffffffff'], ['timetolive'],
      ['list', 'x'], ['keep-alive'], ['list', '-w', 'table']]) {
      const { code, err } = await run('lease', ...args);
      assert.deepEqual([args.join(' '), code], [args.join(' '), 2]);
      assert.match(err, /^Error: /);
    }
    for (const args of [['revoke', '1'], ['keep-alive', '--once', '1']]) {
      const { code, err } = await run('lease', ...args);
      assert.equal(code, 1);
      assert.match(err, /^Error: etcdserver: requested lease not found\n[^]*expired or never existed/);
    }
    assert.equal((await run('put', 'a', 'b', '--lease=1')).code, 1);
    assert.equal(await out('lease', 'list'), 'found 0 leases\n');
  });
});
