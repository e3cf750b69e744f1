import assert from 'node:assert/strict';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { Passwords } from '../auth/passwords.js';
import { RawClient, refusal } from '../testing/raw-client.js';
import { serveStore, type Served } from '../testing/serve.js';

const AUTH = 'etcdserverpb.Auth';
const OK = 'it was answered';
const BAD = '3: etcdserver: authentication failed, invalid user ID or password';
const NO_PASSWORD = '2: auth: authentication failed, password was given for no password user';

/** What each is answered, and who may log in afterwards, is what an etcd 3.7.3 says. */
describe('hashedPassword', function () {
  this.timeout(30_000);
  let cluster: Cluster;
  let served: Omit<Served, 'store'>;
  let client: RawClient;
  let hash: string;

  before(async () => {
    cluster = await Cluster.start(calm, { members: 1 });
    await cluster.until('the newest version', () => cluster.nodes.every(({ replica }) => replica.state.version === NEWEST_VERSION));
    served = await serveStore(cluster.nodes[0]?.store as never);
    client = new RawClient(served.endpoint);
    hash = await new Passwords(4).hash('given');
    for (const name of ['root', 'plain', 'b', 'y', 'both', 'junk', 'notbase64', 'nothing', 'costly']) {
      await client.call(AUTH, 'UserAdd', { name, password: 'own' });
    }
    await client.call(AUTH, 'UserGrantRole', { user: 'root', role: 'root' });
    await client.call(AUTH, 'UserAdd', { name: 'nopw', options: { no_password: true }, hashedPassword: base64(hash) });
    await client.call(AUTH, 'UserAdd', { name: 'added', hashedPassword: base64(hash) });
    await client.call(AUTH, 'UserAdd', { name: 'addedboth', password: 'own', hashedPassword: base64(hash) });
  });

  after(async () => {
    client.close();
    await served.server.drain(0);
    await cluster.close();
  });

  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const change = (name: string, hashedPassword: string, password = ''): Promise<string> =>
    refusal(client.call(AUTH, 'UserChangePassword', { name, password, hashedPassword }));
  const login = (name: string, password: string): Promise<string> => refusal(client.call(AUTH, 'Authenticate', { name, password }));

  it('of bcrypt is the password from now on, if none is given with it; what is none is refused or good for nobody', async () => {
    assert.equal(await change('plain', base64(hash)), OK);
    // As other libraries write it.
    assert.equal(await change('b', base64(hash.replace('$2a', '$2b'))), OK);
    assert.equal(await change('y', `${base64(hash.replace('$2a', '$2y'))}\n`), OK);
    assert.equal(await change('both', base64(hash), 'new'), OK);
    assert.equal(await change('junk', base64('no hash')), OK);
    assert.equal(await change('notbase64', '???'), NO_PASSWORD);
    assert.equal(await change('nothing', ''), OK);
    assert.equal(await change('nopw', base64(hash)), OK);
    assert.equal(await change('nopw', '???'), OK);
    assert.equal(await change('nobody', '???'), '9: etcdserver: user name not found');
    assert.equal(await change('nobody', base64(hash)), '9: etcdserver: user name not found');
    // C1 Ours: one thread compares all passwords.
    assert.match(await change('costly', base64(hash.replace('$04', '$17'))), /^3: kintsugi: a password hash of a cost above 16/);
    await client.call(AUTH, 'AuthEnable', {});
    for (const name of ['plain', 'b', 'y']) {
      assert.equal(await login(name, 'given'), OK, name);
      assert.equal(await login(name, 'own'), BAD, name);
    }
    assert.deepEqual([await login('both', 'new'), await login('both', 'given')], [OK, BAD]);
    for (const name of ['junk', 'nothing']) for (const password of ['own', 'given', 'no hash', '']) assert.equal(await login(name, password), BAD, name);
    for (const name of ['notbase64', 'costly']) assert.equal(await login(name, 'own'), OK, name);
    assert.equal(await login('nopw', 'given'), NO_PASSWORD);
    // Of a new user it is not looked at: as if it were not there.
    assert.equal(await login('added', 'given'), BAD);
    assert.deepEqual([await login('addedboth', 'own'), await login('addedboth', 'given')], [OK, BAD]);
  });

  it('is told to root alone what is wrong with it', async () => {
    client.token = String((await client.call(AUTH, 'Authenticate', { name: 'plain', password: 'given' }))['token']);
    for (const given of [base64(hash), '???']) assert.equal(await change('plain', given), '7: etcdserver: permission denied');
    client.token = undefined;
    for (const given of [base64(hash), '???']) assert.equal(await change('plain', given), '3: etcdserver: user name is empty');
  });
});
