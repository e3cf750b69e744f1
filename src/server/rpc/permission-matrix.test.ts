import assert from 'node:assert/strict';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { ETCD_MESSAGES } from '../../api/etcd-error.js';
import { serviceMethods } from '../../api/protos/protos.js';
import { Cluster } from '../../node/testing/cluster.js';
import { calm } from '../../node/testing/surroundings.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { RawClient, refusal } from '../testing/raw-client.js';
import { serveStore, type Served } from '../testing/serve.js';
import { PERMISSIONS } from './permissions.js';
import { CALLERS, LEASES, PERMISSION_CASES, victim, type CallerName, type Who } from './testing/permission-cases.js';

const AUTH = 'etcdserverpb.Auth';
const [NONE, BAD, DENIED] = [ETCD_MESSAGES.USER_EMPTY, ETCD_MESSAGES.INVALID_AUTH_TOKEN, ETCD_MESSAGES.PERMISSION_DENIED];
const LET_IN = 'let in';

/** By whose call it is. */
const EXPECTED: Readonly<Record<Who, readonly string[]>> = {
  anyone: [LET_IN, LET_IN, LET_IN, LET_IN, LET_IN],
  token: [LET_IN, BAD, LET_IN, LET_IN, LET_IN],
  user: [NONE, BAD, LET_IN, LET_IN, LET_IN],
  keys: [NONE, BAD, DENIED, LET_IN, LET_IN],
  own: [NONE, BAD, DENIED, LET_IN, LET_IN],
  root: [NONE, BAD, DENIED, DENIED, LET_IN],
};

/** A list of services: reflection has no protos of ours. */
const LIST_SERVICES = Buffer.from([0x3a, 1, 0x2a]);

describe('permissions of a member', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let served: Omit<Served, 'store'>;
  let client: Client;
  let admin: RawClient;
  const tokens: Partial<Record<CallerName, string>> = { bad: 'none' };

  before(async () => {
    cluster = await Cluster.start(calm, { members: 1 });
    const [node] = cluster.nodes;
    assert.ok(node);
    await cluster.until('the newest version', () => node.replica.state.version === NEWEST_VERSION);
    served = await serveStore(node.store);
    client = new Client(served.endpoint, credentials.createInsecure());
    admin = new RawClient(served.endpoint);
    for (const name of ['r', 'other']) await admin.call(AUTH, 'RoleAdd', { name });
    const perm = { permType: 'READWRITE', key: Buffer.from('a'), range_end: Buffer.from('b') };
    await admin.call(AUTH, 'RoleGrantPermission', { name: 'r', perm });
    for (const name of ['root', 'right', 'wrong']) await admin.call(AUTH, 'UserAdd', { name, password: `secret-${name}` });
    await admin.call(AUTH, 'UserGrantRole', { user: 'root', role: 'root' });
    await admin.call(AUTH, 'UserGrantRole', { user: 'right', role: 'r' });
    for (const [n, caller] of CALLERS.entries()) {
      await admin.call(AUTH, 'UserAdd', { name: victim(caller), password: 'own' });
      await admin.call(AUTH, 'RoleAdd', { name: victim(caller) });
      for (const [kind, first] of Object.entries(LEASES)) {
        await admin.call('etcdserverpb.Lease', 'LeaseGrant', { ID: String(first + n), TTL: '600' });
        const key = Buffer.from(`${kind === 'own' ? 'a' : 'z'}-leased-${caller}`);
        if (kind !== 'bare') await admin.call('etcdserverpb.KV', 'Put', { key, value: key, lease: String(first + n) });
      }
    }
    await admin.call(AUTH, 'AuthEnable', {});
    for (const name of ['root', 'right', 'wrong'] as const) {
      tokens[name] = String((await admin.call(AUTH, 'Authenticate', { name, password: `secret-${name}` }))['token']);
    }
  });

  after(async () => {
    admin.close();
    client.close();
    await served.server.drain(0);
    await cluster.close();
  });

  /** The first answer, or what it was refused with. Each call is made as a stream. */
  async function ask(path: string, request: object, caller: CallerName): Promise<string> {
    const [, service = '', name = ''] = path.split('/');
    const method = service.startsWith('grpc.reflection') ? undefined : serviceMethods(service)[name];
    const metadata = new Metadata();
    const token = tokens[caller];
    if (token !== undefined) metadata.set('token', token);
    const write = (message: object): Buffer => method?.requestSerialize(message) ?? LIST_SERVICES;
    const read = (bytes: Buffer): object => method?.responseDeserialize(bytes) ?? { bytes };
    const call = client.makeBidiStreamRequest(path, write, read, metadata, { deadline: Date.now() + 20_000 });
    call.write(request);
    if (method?.requestStream === false) call.end();
    try {
      return await new Promise<string>((resolve) => {
        call.on('data', ({ cancel_reason: reason }: { cancel_reason?: string }) => resolve(reason ? reason.replace(/^.* desc = /, '') : LET_IN));
        call.on('error', (error: ServiceError) => resolve(error.details));
        call.on('end', () => setImmediate(resolve, 'nothing was answered'));
      });
    } finally {
      call.cancel();
    }
  }

  it('each row of the table has a case: one without is asked for by nobody', () => {
    assert.deepEqual([...new Set(PERMISSION_CASES.map(({ path }) => path))].sort(), Object.keys(PERMISSIONS).sort());
  });

  it('every RPC, for no token, a bad one, a user without and one with a role, and root', async () => {
    const wrong: string[] = [];
    for (const { path, who, request, root } of PERMISSION_CASES) {
      for (const [n, caller] of CALLERS.entries()) {
        const said = await ask(path, request(caller), caller);
        const isRefused = [NONE, BAD, DENIED].includes(said as never);
        const expected = EXPECTED[who][n];
        // Others may ask for what is not there; root asks for what is, unless a case says so.
        const isRight = expected === LET_IN ? !isRefused && (caller !== 'root' || said === LET_IN || root?.test(said) === true) : said === expected;
        if (!isRight) wrong.push(`${path} (${who}) of ${caller}: ${said}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('auth is off at the end: root alone could do that, and whoever asked before changed nothing', async () => {
    assert.equal((await admin.call(AUTH, 'AuthStatus', {}))['enabled'], false);
    const { users } = await admin.call(AUTH, 'UserList', {});
    const left = CALLERS.filter((caller) => caller !== 'root').map(victim);
    assert.deepEqual(users, [...left, 'new-root', 'newer-root', 'right', 'root', 'wrong'].sort());
    assert.match(await refusal(admin.call('etcdserverpb.Lease', 'LeaseTimeToLive', { ID: '100' })), /answered/);
  });
});
