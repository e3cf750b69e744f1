import assert from 'node:assert/strict';
import { Caller } from '../../api/caller.js';
import type { WatchResponse } from '../../api/watch.js';
import { utf8 } from '../../base/bytes.js';
import type { AuthCommand } from '../auth/auth-command.js';
import { command } from '../kv/testing/requests.js';
import { createOf, turn, WatchWorld, type WatchedStream, type WorldOptions } from './testing/watch-world.js';

const DENIED = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
const INVALID = 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token';
const EMPTY_USER = 'rpc error: code = InvalidArgument desc = etcdserver: user name is empty';

const ANONYMOUS = new Caller({ hasToken: false });
const OPEN = Uint8Array.of(0);

const range = (key: string, end = ''): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } => ({ key: utf8(key), rangeEnd: utf8(end) });

/** Root; `u` and `v`, who may read the keys from `a` to `c`, each through a role of its own. */
const USERS: readonly AuthCommand[] = [
  { kind: 'user-add', user: 'root', hash: 'x' },
  { kind: 'user-grant', user: 'root', role: 'root' },
  ...['u', 'v'].flatMap((user): AuthCommand[] => [
    { kind: 'user-add', user, hash: `of ${user}` },
    { kind: 'role-add', role: `r${user}` },
    { kind: 'role-grant', role: `r${user}`, permission: { type: 'read', ...range('a', 'c') } },
    { kind: 'user-grant', user, role: `r${user}` },
  ]),
];
const REVOKE: AuthCommand = { kind: 'role-revoke', role: 'ru', range: range('a', 'c') };

class PermitWorld extends WatchWorld {
  constructor(options: WorldOptions = {}) {
    super(options);
    this.tokens.begin(0, 1_000);
  }

  /** Auth is on, and each user has a token. */
  begin(): this {
    this.applyAuth(...USERS, { kind: 'enable' });
    for (const user of ['u', 'v']) {
      this.applyAuth({ kind: 'authenticate', user, revision: this.auth.revision, token: `token of ${user}` });
    }
    this.applied.publish();
    return this;
  }

  as(user: string): Caller {
    return new Caller({ hasToken: true, token: { digest: `token of ${user}`, index: 1 } });
  }
}

async function created(stream: WatchedStream, key: string, end = '', startRevision = 0): Promise<WatchResponse> {
  await stream.create(createOf(key, end, { startRevision }));
  return stream.take();
}

async function ended(stream: WatchedStream, reason: string): Promise<void> {
  const { canceled, cancelReason, compactRevision } = await stream.take();
  assert.deepEqual([canceled, cancelReason, compactRevision], [true, reason, 0]);
}

const put = (key: string, value = 'v'): ReturnType<typeof command.put> => command.put(key, value);

describe('permissions of watchers', () => {
  it('GHSA-xg4h-6gfc-h4m8: a user with one key watches that key, and neither those after it nor all', async () => {
    const world = new PermitWorld().begin();
    world.applyAuth({ kind: 'role-add', role: 'one' }, { kind: 'role-grant', role: 'one', permission: { type: 'read', ...range('k') } },
      { kind: 'user-revoke', user: 'u', role: 'ru' }, { kind: 'user-grant', user: 'u', role: 'one' });
    const stream = world.stream(world.as('u'));
    assert.equal((await created(stream, 'k')).canceled, false);
    for (const [key, end] of [['k', '\0'], ['', '\0'], ['', ''], ['k', 'l'], ['k', 'k\0\0'], ['j', 'k\0'], ['l', '']] as const) {
      const { canceled, cancelReason, watchId } = await created(stream, key, end);
      assert.deepEqual([canceled, cancelReason, watchId], [true, DENIED, -1], JSON.stringify([key, end]));
    }
    for (const key of ['k\0', 'l', 'k', 'z']) world.apply(put(key));
    assert.deepEqual((await stream.take()).events.map(({ kv }) => Buffer.from(kv.key).toString()), ['k']);
  });

  it('a permission that is revoked ends the watcher, told so, before it hears of anything that is written after', async () => {
    const world = new PermitWorld().begin();
    const [one, other] = [world.stream(world.as('u')), world.stream(world.as('v'))];
    for (const stream of [one, other]) await created(stream, 'a', 'c');
    world.apply(put('a', 'before'));
    for (const stream of [one, other]) assert.equal((await stream.take()).events.length, 1);
    // Applied in one stretch: nothing is told of the change of auth in between.
    world.applyAuth(REVOKE);
    world.apply(put('a', 'secret'));
    await ended(one, DENIED);
    assert.equal((await other.take()).events.length, 1, 'whoever may still read goes on');
    world.apply(put('b', 'secret'));
    assert.equal((await other.take()).events.length, 1);
    assert.equal(one.session.watchers.size, 0);
    assert.equal((await created(one, 'a', 'c')).cancelReason, DENIED, 'and is not let in again');
  });

  it('a watcher that hears nothing ends too, as soon as its permission is revoked', async () => {
    const world = new PermitWorld().begin();
    const stream = world.stream(world.as('u'));
    await created(stream, 'a');
    world.applyAuth(REVOKE);
    world.applied.publish();
    await ended(stream, DENIED);
  });

  it('a watcher that reads history ends in the midst of it', async () => {
    for (const recentBytes of [1, 1 << 20]) {
      const world = new PermitWorld({ recentBytes, streamBytes: 1, windowBytes: 1 }).begin();
      for (let n = 0; n < 20; n++) world.apply(put('a', String(n)));
      const stream = world.stream(world.as('u'));
      await created(stream, 'a', 'c', 2);
      assert.equal((await stream.take()).events.length > 0, true);
      world.applyAuth(REVOKE);
      world.applied.publish();
      let heard = 0;
      for (let answer = await stream.take(); !answer.canceled; answer = await stream.take()) heard += answer.events.length;
      assert.ok(heard < 10, `only what was queued before is sent, not ${heard} changes`);
      assert.equal(stream.answers.at(-1)?.cancelReason, DENIED);
    }
  });

  it('a user who is deleted, has another role or another password hears nothing more', async () => {
    const cases: readonly (readonly [AuthCommand, string])[] = [
      [{ kind: 'user-delete', user: 'u' }, INVALID],
      [{ kind: 'user-password', user: 'u', hash: 'another' }, INVALID],
      [{ kind: 'user-revoke', user: 'u', role: 'ru' }, DENIED],
      [{ kind: 'role-delete', role: 'ru' }, DENIED],
    ];
    for (const [change, reason] of cases) {
      const world = new PermitWorld().begin();
      const stream = world.stream(world.as('u'));
      await created(stream, 'a');
      world.applyAuth(change);
      world.apply(put('a'));
      await ended(stream, reason);
    }
  });

  it('a user of the same name is not the one who was deleted', async () => {
    const world = new PermitWorld().begin();
    const stream = world.stream(world.as('u'));
    await created(stream, 'a');
    world.applyAuth({ kind: 'user-delete', user: 'u' }, { kind: 'user-add', user: 'u', hash: 'of another u' }, { kind: 'user-grant', user: 'u', role: 'ru' });
    world.apply(put('a'));
    await ended(stream, INVALID);
  });

  it('auth that is turned on ends the watchers of who said nothing of themselves, and of an unknown token', async () => {
    const world = new PermitWorld();
    world.applyAuth(...USERS);
    const callers = [ANONYMOUS, new Caller({ hasToken: true }), new Caller({ hasToken: false, commonName: 'u' }), undefined];
    const streams = callers.map((caller) => world.stream(caller));
    const [nobody, unknown, certified, member] = streams as [WatchedStream, WatchedStream, WatchedStream, WatchedStream];
    for (const stream of world.streams) await created(stream, 'b');
    await created(certified, 'a', 'd');
    world.applyAuth({ kind: 'enable' });
    world.apply(put('b'));
    await ended(nobody, EMPTY_USER);
    await ended(unknown, INVALID);
    const answers = [await certified.take(), await certified.take()];
    assert.deepEqual(answers.find(({ canceled }) => canceled)?.cancelReason, DENIED, 'it may not read all of the range');
    assert.equal(answers.find(({ canceled }) => !canceled)?.events.length, 1, 'the user of the certificate may read the key');
    assert.equal((await member.take()).events.length, 1);
  });

  it('a token that has run out ends nothing, whatever becomes of others', async () => {
    const world = new PermitWorld().begin();
    const stream = world.stream(world.as('u'));
    await created(stream, 'a');
    world.tokens.tick(5_000);
    world.applyAuth({ kind: 'user-delete', user: 'v' });
    world.applied.publish();
    world.apply(put('a'));
    assert.equal((await stream.take()).events.length, 1);
    assert.equal((await created(stream, 'a')).cancelReason, INVALID, 'but lets nobody in');
  });

  it('C1 watchers are looked at in slices, however many there are', async () => {
    const world = new PermitWorld().begin();
    const stream = world.stream(world.as('u'));
    for (let n = 0; n < 1_000; n++) await created(stream, 'a');
    world.applyAuth(REVOKE);
    let slices = 0;
    for (const step = world.hub.permits.check(); !step.next().done;) slices++;
    // Whoever is cancelled kicks the pump, which looks through them as well.
    assert.ok(slices >= 3, `${slices} slices`);
    for (let n = 0; n < 1_000; n++) await ended(stream, DENIED);
    await turn();
    assert.equal(world.hub.watchers, 0);
    assert.equal(world.hub.permits.stale, false);
  });

  it('a range to the end of the space stays with who may read to the end', async () => {
    const world = new PermitWorld().begin();
    world.applyAuth({ kind: 'role-grant', role: 'ru', permission: { type: 'read', key: utf8('a'), rangeEnd: OPEN } });
    const stream = world.stream(world.as('u'));
    assert.equal((await created(stream, 'a', '\0')).canceled, false);
    world.applyAuth({ kind: 'role-grant', role: 'rv', permission: { type: 'read', ...range('x') } });
    world.apply(put('zz'));
    assert.equal((await stream.take()).events.length, 1);
    world.applyAuth({ kind: 'role-revoke', role: 'ru', range: { key: utf8('a'), rangeEnd: OPEN } });
    world.apply(put('zz'));
    await ended(stream, DENIED);
  });
});
