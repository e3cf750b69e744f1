import assert from 'node:assert/strict';
import { EMPTY, utf8 } from '../../base/bytes.js';
import { atOnce } from '../../base/drive.js';
import { codeOf } from '../../base/errors.js';
import type { RequestOp } from '../../api/requests.js';
import { put } from '../../api/testing/requests.js';
import type { AuthCommand } from './auth-command.js';
import { AuthState } from './auth-state.js';
import type { LeasedKeys } from './lease-permit.js';
import { leasesOf } from './needs.js';
import { MEMBER, NOBODY, type Principal } from './principal.js';
import { SimpleTokens } from './simple-tokens.js';

const OPEN = Uint8Array.of(0);

class World {
  readonly tokens = new SimpleTokens();
  readonly auth = new AuthState(this.tokens);
  index = 0;

  apply(command: AuthCommand, who: Principal = NOBODY): number {
    return this.auth.apply(++this.index, who, command).revision;
  }

  refused(code: string, command: AuthCommand, who: Principal = NOBODY): void {
    const before = this.auth.encode();
    assert.throws(() => this.apply(command, who), (error) => codeOf(error) === code, `${command.kind}: ${code}`);
    assert.deepEqual(this.auth.encode(), before, 'a refusal changes nothing');
  }

  as(name: string, revision = this.auth.revision): Principal {
    return { kind: 'user', name, revision };
  }

  /** What a put of the key by the user is refused with. */
  put(key: string, who: Principal): string | undefined {
    return this.code({ kind: 'put', request: put(key, 'v') }, who);
  }

  code(request: RequestOp, who: Principal, leased?: LeasedKeys): string | undefined {
    try {
      const permit = this.auth.permit(who);
      permit?.request(request);
      if (permit !== undefined && leased !== undefined) atOnce(permit.leases(leasesOf(request), leased));
      return undefined;
    } catch (error) {
      return codeOf(error);
    }
  }

  /** A user with a role for keys from `a` to `c`, root, and auth on. */
  begin(): this {
    this.apply({ kind: 'user-add', user: 'root', hash: 'x' });
    this.apply({ kind: 'user-grant', user: 'root', role: 'root' });
    this.apply({ kind: 'user-add', user: 'u', hash: 'y' });
    this.apply({ kind: 'role-add', role: 'r' });
    this.apply({ kind: 'role-grant', role: 'r', permission: { type: 'readwrite', key: utf8('a'), rangeEnd: utf8('c') } });
    this.apply({ kind: 'user-grant', user: 'u', role: 'r' });
    this.apply({ kind: 'enable' });
    return this;
  }
}

describe('the auth state', () => {
  it('S2 refuses what etcd refuses, in its words, and changes nothing then', () => {
    const world = new World();
    world.refused('ROOT_USER_NOT_EXIST', { kind: 'enable' });
    world.apply({ kind: 'user-add', user: 'root', hash: 'x' });
    world.refused('ROOT_ROLE_NOT_EXIST', { kind: 'enable' });
    world.refused('USER_ALREADY_EXIST', { kind: 'user-add', user: 'root', hash: 'x' });
    world.refused('USER_EMPTY', { kind: 'user-add', user: '', hash: 'x' });
    world.refused('USER_NOT_FOUND', { kind: 'user-delete', user: 'nobody' });
    world.refused('USER_NOT_FOUND', { kind: 'user-password', user: 'nobody', hash: 'x' });
    world.refused('ROLE_NOT_FOUND', { kind: 'user-grant', user: 'root', role: 'none' });
    world.refused('ROLE_NOT_GRANTED', { kind: 'user-revoke', user: 'root', role: 'none' });
    world.refused('ROLE_EMPTY', { kind: 'role-add', role: '' });
    world.apply({ kind: 'role-add', role: 'r' });
    world.refused('ROLE_ALREADY_EXIST', { kind: 'role-add', role: 'r' });
    world.refused('INVALID_AUTH_MGMT', { kind: 'role-grant', role: 'r', permission: { type: 'read', key: utf8('b'), rangeEnd: utf8('a') } });
    world.refused('INVALID_AUTH_MGMT', { kind: 'role-grant', role: 'r', permission: { type: 'read', key: EMPTY, rangeEnd: EMPTY } });
    world.refused('PERMISSION_NOT_GRANTED', { kind: 'role-revoke', role: 'r', range: { key: utf8('b'), rangeEnd: EMPTY } });
    world.refused('ROLE_NOT_FOUND', { kind: 'role-delete', role: 'none' });
    world.refused('AUTH_NOT_ENABLED', { kind: 'authenticate', user: 'root', revision: world.auth.revision, token: 't' });
  });

  it('the user and the role root stay as they are while auth is on, and only root changes anything', () => {
    const world = new World().begin();
    const root = world.as('root');
    world.refused('INVALID_AUTH_MGMT', { kind: 'user-delete', user: 'root' }, root);
    world.refused('INVALID_AUTH_MGMT', { kind: 'user-revoke', user: 'root', role: 'root' }, root);
    world.refused('INVALID_AUTH_MGMT', { kind: 'role-delete', role: 'root' }, root);
    for (const command of [{ kind: 'disable' }, { kind: 'role-add', role: 'x' }, { kind: 'user-delete', user: 'u' }] as const) {
      world.refused('USER_EMPTY', command, NOBODY);
      world.refused('PERMISSION_DENIED', command, world.as('u'));
      world.refused('USER_NOT_FOUND', command, world.as('gone'));
    }
    world.apply({ kind: 'disable' }, root);
    assert.equal(world.auth.enabled, false);
  });

  it('S2 a write is refused in the name of nobody, of an older state, of a user that is gone and beyond the ranges of their roles', () => {
    const world = new World().begin();
    assert.equal(world.put('a', world.as('u')), undefined);
    assert.equal(world.put('bz', world.as('u')), undefined);
    assert.equal(world.put('c', world.as('u')), 'PERMISSION_DENIED');
    assert.equal(world.put('a', NOBODY), 'USER_EMPTY');
    assert.equal(world.put('a', MEMBER), undefined);
    assert.equal(world.put('zz', world.as('root')), undefined);
    const old = world.as('u');
    world.apply({ kind: 'role-grant', role: 'r', permission: { type: 'write', key: utf8('x'), rangeEnd: OPEN } }, world.as('root'));
    assert.equal(world.put('a', old), 'AUTH_OLD_REVISION');
    assert.equal(world.put('zz', world.as('u')), undefined, 'a zero byte is no end');
    world.apply({ kind: 'role-delete', role: 'r' }, world.as('root'));
    assert.equal(world.put('a', world.as('u')), 'PERMISSION_DENIED');
    world.apply({ kind: 'user-delete', user: 'u' }, world.as('root'));
    assert.equal(world.put('a', world.as('u')), 'PERMISSION_DENIED');
  });

  it('etcd#21681: who may only write is not told by prev_kv what was there, wherever in a transaction it is asked for', () => {
    const world = new World().begin();
    const root = world.as('root');
    world.apply({ kind: 'role-add', role: 'w' }, root);
    world.apply({ kind: 'role-grant', role: 'w', permission: { type: 'write', key: utf8('s'), rangeEnd: EMPTY } }, root);
    world.apply({ kind: 'user-grant', user: 'u', role: 'w' }, root);
    const code = (request: RequestOp): string | undefined => world.code(request, world.as('u'));
    for (const prevKv of [false, true]) {
      const expected = prevKv ? 'PERMISSION_DENIED' : undefined;
      const writes: readonly RequestOp[] = [
        { kind: 'put', request: { ...put('s', 'v'), prevKv } }, { kind: 'delete-range', request: { key: utf8('s'), rangeEnd: EMPTY, prevKv } },
      ];
      for (const write of writes) {
        assert.equal(code(write), expected);
        for (const part of ['success', 'failure'] as const) {
          const nested = (op: RequestOp): RequestOp => ({ kind: 'txn', request: { compare: [], success: [], failure: [], [part]: [op] } });
          assert.equal(code(nested(write)), expected, part);
          assert.equal(code(nested(nested(write))), expected, `${part} of ${part}`);
        }
      }
    }
  });

  it('etcd#21685: whoever attaches a key to a lease, or revokes it, may write all that hangs on it; to be told its keys is to read them', () => {
    const world = new World().begin();
    const leases: LeasedKeys = {
      *areWithin(ranges, id) {
        return (id === 1n ? ['a'] : ['a', 'z']).every((key) => ranges.endAfter(utf8(key)) !== undefined);
      },
    };
    const code = (request: RequestOp): string | undefined => world.code(request, world.as('u'), leases);
    const attach = (lease: bigint): RequestOp => ({ kind: 'put', request: { ...put('b', 'v'), lease } });
    assert.equal(code(attach(1n)), undefined);
    assert.equal(code(attach(2n)), 'PERMISSION_DENIED');
    assert.equal(code({ kind: 'txn', request: { compare: [], success: [], failure: [attach(2n)] } }), 'PERMISSION_DENIED');
    const permit = world.auth.permit(world.as('u'));
    assert.ok(permit);
    atOnce(permit.leases([1n], leases));
    atOnce(permit.readLeases(1n, leases));
    assert.throws(() => atOnce(permit.leases([1n, 2n], leases)), { code: 'PERMISSION_DENIED' });
    for (const which of [2n, 'all'] as const) assert.throws(() => atOnce(permit.readLeases(which, leases)), { code: 'PERMISSION_DENIED' });
  });

  it('a token is given out only while the password that was compared is the one that is there', () => {
    const world = new World().begin();
    const { revision } = world.auth;
    world.apply({ kind: 'authenticate', user: 'u', revision, token: 'one' });
    assert.equal(world.tokens.userOf('one'), 'u');
    world.apply({ kind: 'user-password', user: 'u', hash: 'z' }, world.as('root'));
    assert.equal(world.tokens.userOf('one'), undefined, 'another password ends it');
    world.refused('AUTH_OLD_REVISION', { kind: 'authenticate', user: 'u', revision, token: 'two' });
    world.refused('AUTH_FAILED', { kind: 'authenticate', user: 'gone', revision: world.auth.revision, token: 'two' });
    world.apply({ kind: 'authenticate', user: 'u', revision: world.auth.revision, token: 'three' });
    world.apply({ kind: 'disable' }, world.as('root'));
    assert.equal(world.tokens.size, 0);
  });

  it('S2 is sealed whole and found again', () => {
    const world = new World().begin();
    const again = AuthState.decode(world.auth.encode(), new SimpleTokens());
    assert.deepEqual(again.encode(), world.auth.encode());
    assert.deepEqual([again.enabled, again.revision, again.users(), again.roles()],
      [true, world.auth.revision, world.auth.users(), world.auth.roles()]);
    assert.throws(() => AuthState.decode(world.auth.encode().subarray(0, 20), new SimpleTokens()), { code: 'CODEC' });
  });

  it('C1 users and roles are refused beyond a bound', () => {
    const world = new World();
    const name = 'n'.repeat(200_000);
    for (let i = 0; i < 10; i++) world.apply({ kind: 'user-add', user: `${name}${i}`, hash: undefined });
    world.refused('AUTH_TOO_LARGE', { kind: 'user-add', user: `${name}x`, hash: undefined });
  });
});

describe('simple tokens', () => {
  it('end when they were not used for so long, and with the life of the member', () => {
    const tokens = new SimpleTokens();
    tokens.begin(10, 1_000);
    tokens.tick(5_000);
    tokens.add('old', 'u', 10);
    assert.equal(tokens.userOf('old'), undefined, 'given out before this life');
    tokens.add('a', 'u', 11);
    tokens.add('b', 'u', 12);
    tokens.tick(5_900);
    assert.equal(tokens.userOf('a'), 'u', 'a use puts it off');
    tokens.tick(6_100);
    assert.deepEqual([tokens.userOf('a'), tokens.userOf('b'), tokens.size], ['u', undefined, 1]);
  });
});
