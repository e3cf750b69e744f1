/** Auth: users, roles and tokens, off and on, and what hangs on a lease. */

import { bytes, prefixEnd, put, range, type Case } from './case.js';
import { JsonDoor } from './json-door.js';
import type { Peer } from './peer.js';

async function login(peer: Peer, name: string, password: string): Promise<string | undefined> {
  const reply = await peer.call('Auth', 'Authenticate', { name, password });
  return reply?.['token'] as string | undefined;
}

const perm = (permType: string, key: string, range_end: Buffer = bytes('')): Record<string, unknown> => ({ permType, key: bytes(key), range_end });

const off: Case = {
  name: 'auth: users and roles, while it is off',
  service: 'Auth',
  async run(peer) {
    await peer.call('Auth', 'AuthStatus');
    await peer.call('Auth', 'Authenticate', { name: 'root', password: 'x' });
    for (const method of ['AuthEnable', 'AuthDisable', 'UserList', 'RoleList']) await peer.call('Auth', method);
    for (const request of [{ name: 'u1', password: 'p1' }, { name: 'u1', password: 'p1' }, { name: '', password: 'p' }, { name: 'u2' }, { name: 'u3', options: { no_password: true } }]) {
      await peer.call('Auth', 'UserAdd', request);
    }
    for (const name of ['r1', 'r1', '', 'r2']) await peer.call('Auth', 'RoleAdd', { name });
    for (const [user, role] of [['u1', 'r1'], ['u1', 'r1'], ['u1', 'none'], ['none', 'r1'], ['u1', 'r2']]) await peer.call('Auth', 'UserGrantRole', { user, role });
    for (const request of [
      { name: 'r1', perm: perm('READ', 'a/', prefixEnd('a/')) }, { name: 'r1', perm: perm('WRITE', 'b') }, { name: 'r1', perm: perm('READWRITE', 'b') },
      { name: 'none', perm: perm('READ', 'a') }, { name: 'r1', perm: perm('READ', 'z', bytes('a')) }, { name: 'r2', perm: perm('READ', 'k', bytes('\0')) },
    ]) {
      await peer.call('Auth', 'RoleGrantPermission', request);
    }
    for (const name of ['u1', 'u3', 'none']) await peer.call('Auth', 'UserGet', { name });
    for (const role of ['r1', 'r2', 'none']) await peer.call('Auth', 'RoleGet', { role });
    for (const request of [{ role: 'r1', key: bytes('b') }, { role: 'r1', key: bytes('b') }, { role: 'none', key: bytes('b') }]) await peer.call('Auth', 'RoleRevokePermission', request);
    for (const [name, role] of [['u1', 'r2'], ['u1', 'r2'], ['none', 'r1']]) await peer.call('Auth', 'UserRevokeRole', { name, role });
    for (const name of ['u2', 'none']) await peer.call('Auth', 'UserChangePassword', { name, password: 'new' });
    await peer.call('Auth', 'UserList');
    await peer.call('Auth', 'RoleList');
    for (const name of ['u2', 'u2']) await peer.call('Auth', 'UserDelete', { name });
    for (const role of ['r2', 'r2']) await peer.call('Auth', 'RoleDelete', { role });
    await peer.call('Auth', 'UserAdd', { name: 'root', password: 'rootpw' });
    await peer.call('Auth', 'AuthEnable');
    await peer.call('Auth', 'AuthStatus');
  },
};

/** Of bcrypt, of the password `given`, in base64. */
const GIVEN = Buffer.from('$2a$04$/uaF/uaF/uaF/uaF/uaF/ufnb7vLCefQdYEso7oSqZmTwHCMV1E7K').toString('base64');

const hashedPassword: Case = {
  name: 'auth: a hash in place of a password',
  service: 'Auth',
  since: '3.5',
  async run(peer) {
    await peer.quietly('Auth', 'UserAdd', { name: 'root', password: 'rootpw' });
    await peer.quietly('Auth', 'UserGrantRole', { user: 'root', role: 'root' });
    for (const name of ['h1', 'h2', 'h3', 'h4', 'h5']) await peer.quietly('Auth', 'UserAdd', { name, password: 'own' });
    await peer.call('Auth', 'UserAdd', { name: 'h6', password: 'own', hashedPassword: GIVEN });
    await peer.call('Auth', 'UserAdd', { name: 'h7', options: { no_password: true }, hashedPassword: GIVEN });
    for (const request of [
      { name: 'h1', hashedPassword: GIVEN }, { name: 'h2', password: 'new', hashedPassword: GIVEN }, { name: 'h3', hashedPassword: 'bm8gaGFzaA==' },
      { name: 'h4', hashedPassword: '???' }, { name: 'h5' }, { name: 'h7', hashedPassword: '???' }, { name: 'none', hashedPassword: '???' },
    ]) {
      await peer.call('Auth', 'UserChangePassword', request);
    }
    await peer.quietly('Auth', 'AuthEnable');
    for (const [name, password] of [['h1', 'given'], ['h1', 'own'], ['h2', 'new'], ['h2', 'given'], ['h3', 'own'], ['h4', 'own'], ['h5', 'own'], ['h6', 'own'], ['h6', 'given'], ['h7', 'given']]) {
      await login(peer, name as string, password as string);
    }
    peer.useToken(await login(peer, 'root', 'rootpw'));
    await peer.call('Auth', 'AuthDisable');
    peer.useToken(undefined);
    for (const name of ['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'h7', 'root']) await peer.quietly('Auth', 'UserDelete', { name });
  },
};

/** etcd 3.4 dies of it, and again at each start. */
const nothingGranted: Case = {
  name: 'auth: a grant of no permission',
  service: 'Auth',
  since: '3.5',
  async run(peer) {
    await peer.quietly('Auth', 'RoleAdd', { name: 'r' });
    await peer.call('Auth', 'RoleGrantPermission', { name: 'r' });
    await new JsonDoor(peer).post('/v3/auth/role/grant', { name: 'r' });
    await peer.call('Auth', 'RoleDelete', { role: 'r' });
  },
};

const on: Case = {
  name: 'auth: who may do what, while it is on',
  service: 'Auth',
  async run(peer) {
    await peer.quietly('Auth', 'UserAdd', { name: 'root', password: 'rootpw' });
    await peer.quietly('Auth', 'RoleAdd', { name: 'root' });
    await peer.quietly('Auth', 'UserGrantRole', { user: 'root', role: 'root' });
    await peer.quietly('Auth', 'UserAdd', { name: 'alice', password: 'apw' });
    await peer.quietly('Auth', 'RoleAdd', { name: 'reader' });
    await peer.quietly('Auth', 'RoleGrantPermission', { name: 'reader', perm: perm('READ', 'a/', prefixEnd('a/')) });
    await peer.quietly('Auth', 'RoleGrantPermission', { name: 'reader', perm: perm('WRITE', 'w') });
    await peer.quietly('Auth', 'UserGrantRole', { user: 'alice', role: 'reader' });
    await peer.quietly('Lease', 'LeaseGrant', { ID: peer.given('815'), TTL: '6000' });
    await peer.call('Auth', 'AuthEnable');
    await peer.call('Auth', 'AuthEnable');
    for (const [name, password] of [['root', 'wrong'], ['nobody', 'x'], ['', ''], ['u3', '']]) await login(peer, name as string, password as string);
    const root = await login(peer, 'root', 'rootpw');
    const alice = await login(peer, 'alice', 'apw');
    for (const token of [undefined, 'nonsense', alice, root]) {
      peer.useToken(token);
      await this.each(peer);
    }
    peer.useToken(root);
    for (const request of [{ name: 'root' }]) await peer.call('Auth', 'UserDelete', request);
    await peer.call('Auth', 'UserRevokeRole', { name: 'root', role: 'root' });
    await peer.call('Auth', 'RoleDelete', { role: 'root' });
    await peer.call('Auth', 'UserChangePassword', { name: 'alice', password: 'other' });
    peer.useToken(alice);
    await peer.call('KV', 'Range', range('a/1'));
    peer.useToken(await login(peer, 'root', 'rootpw'));
    await peer.call('Auth', 'AuthDisable');
    peer.useToken(undefined);
    await peer.call('KV', 'Put', put('free', 'again'));
  },
  async each(peer: Peer) {
    await peer.call('KV', 'Range', range('a/1'));
    await peer.call('KV', 'Range', range('a/', 'a0'));
    await peer.call('KV', 'Range', range('a/', 'b0'));
    await peer.call('KV', 'Range', range('w'));
    await peer.call('KV', 'Put', put('a/1', 'x'));
    await peer.call('KV', 'Put', put('w', 'x'));
    await peer.call('KV', 'Put', put('w', 'x', { prev_kv: true }));
    await peer.call('KV', 'DeleteRange', range('w'));
    await peer.call('KV', 'DeleteRange', range('w', '', { prev_kv: true }));
    await peer.call('KV', 'Txn', { success: [{ request_range: range('a/1') }] });
    await peer.call('KV', 'Txn', { success: [{ request_range: range('c') }] });
    await peer.call('KV', 'Txn', { compare: [{ key: bytes('c'), target: 'VERSION', result: 'EQUAL', version: '0' }], success: [{ request_put: put('w', 'y') }] });
    await peer.call('KV', 'Txn', { success: [{ request_txn: { success: [{ request_put: put('c', 'y') }] } }] });
    await peer.call('KV', 'Compact', { revision: '1' });
    await peer.call('Lease', 'LeaseGrant', { TTL: '6000' });
    await peer.call('Lease', 'LeaseLeases');
    await peer.call('Auth', 'UserList');
    await peer.call('Auth', 'UserGet', { name: 'alice' });
    await peer.call('Auth', 'RoleGet', { role: 'reader' });
    await peer.call('Auth', 'UserAdd', { name: 'mallory', password: 'm' });
    await peer.quietly('Auth', 'UserDelete', { name: 'mallory' });
    await peer.call('Auth', 'AuthStatus');
    await peer.call('Cluster', 'MemberList');
    await peer.call('Maintenance', 'Alarm', { action: 'GET' });
    await peer.call('Maintenance', 'Status');
    await peer.call('Maintenance', 'Defragment');
    await peer.call('Maintenance', 'HashKV', {});
    for (const name of ['a/q', 'cq']) {
      await peer.call('v3lockpb.Lock', 'Lock', { name: bytes(name), lease: peer.given('815') });
      await peer.call('v3lockpb.Lock', 'Unlock', { key: bytes(`${name}/32f`) });
      await peer.call('v3electionpb.Election', 'Campaign', { name: bytes(name), lease: '815' });
      await peer.call('v3electionpb.Election', 'Leader', { name: bytes(name) });
      await peer.call('v3electionpb.Election', 'Proclaim', { leader: { name: bytes(name), key: bytes(`${name}/32f`), rev: '7', lease: '815' } });
      await peer.call('v3electionpb.Election', 'Resign', { leader: { name: bytes(name), key: bytes(`${name}/32f`), rev: '7', lease: '815' } });
      const observed = peer.listen('v3electionpb.Election', 'Observe', { name: bytes(name) });
      await observed.next(`of ${name}`, 500);
      observed.end();
    }
    const stream = peer.stream('Watch', 'Watch');
    await stream.ask({ create_request: { key: bytes('a/1') } });
    await stream.ask({ create_request: { key: bytes('c') } });
    stream.end();
  },
} as Case & { each(peer: Peer): Promise<void> };

/** The keys of each. Lena may read and write those that begin with `le/`, Max read them. */
const LEASES: Readonly<Record<string, readonly string[]>> = { 821: ['le/a'], 822: ['le/b', 'x'], 823: [] };
/** One that there is not. */
const NO_LEASE = '899';

const leases: Case = {
  name: 'auth: who may do what to a lease with keys',
  service: 'Auth',
  async run(peer) {
    await peer.quietly('Auth', 'UserAdd', { name: 'root', password: 'rootpw' });
    await peer.quietly('Auth', 'UserChangePassword', { name: 'root', password: 'rootpw' });
    await peer.quietly('Auth', 'RoleAdd', { name: 'root' });
    await peer.quietly('Auth', 'UserGrantRole', { user: 'root', role: 'root' });
    for (const [name, permType] of [['lena', 'READWRITE'], ['max', 'READ']] as const) {
      await peer.quietly('Auth', 'UserAdd', { name, password: 'pw' });
      await peer.quietly('Auth', 'RoleAdd', { name });
      await peer.quietly('Auth', 'RoleGrantPermission', { name, perm: perm(permType, 'le/', prefixEnd('le/')) });
      await peer.quietly('Auth', 'UserGrantRole', { user: name, role: name });
    }
    for (const [lease, keys] of Object.entries(LEASES)) {
      await peer.quietly('Lease', 'LeaseGrant', { ID: peer.given(lease), TTL: '6000' });
      for (const key of keys) await peer.quietly('KV', 'Put', put(key, 'v', { lease }));
    }
    peer.given(NO_LEASE);
    await peer.call('Auth', 'AuthEnable');
    const root = await login(peer, 'root', 'rootpw');
    // What is refused ends its stream.
    const keepAlive = async (token: string | undefined, ...ids: readonly string[]): Promise<void> => {
      peer.useToken(token);
      const stream = peer.stream('Lease', 'LeaseKeepAlive');
      for (const ID of ids) await stream.ask({ ID });
      stream.end();
    };
    for (const token of [undefined, 'nonsense', await login(peer, 'max', 'pw'), await login(peer, 'lena', 'pw'), root]) {
      for (const ID of [...Object.keys(LEASES), NO_LEASE]) {
        // Then nearly all of its time is left, however long the calls before have taken.
        await keepAlive(root, ID);
        await keepAlive(token, ID);
        await peer.call('Lease', 'LeaseTimeToLive', { ID });
        await peer.call('Lease', 'LeaseTimeToLive', { ID, keys: true });
        await peer.call('KV', 'Put', put('le/new', 'v', { lease: ID }));
        await peer.call('KV', 'Txn', { compare: [{ key: bytes('le/a'), target: 'VERSION', result: 'EQUAL', version: '0' }], success: [{ request_put: put('le/new', 'v', { lease: ID }) }] });
      }
      await keepAlive(token, '823', '822', '821');
      await peer.call('Lease', 'LeaseLeases');
      for (const ID of Object.keys(LEASES)) await peer.call('Lease', 'LeaseRevoke', { ID });
    }
    await peer.call('Auth', 'AuthDisable');
    peer.useToken(undefined);
  },
};

export const AUTH_CASES: readonly Case[] = [nothingGranted, hashedPassword, off, on, leases];
