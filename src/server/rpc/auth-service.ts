/** etcd's Auth service. Passwords end here: what goes on is their salted hash. */

import { randomBytes } from 'node:crypto';
import type { Caller } from '../../api/caller.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { Message } from '../../api/protos/reflected-rpc.js';
import { codeOf } from '../../base/errors.js';
import type { Method } from '../../grpc/method.js';
import type { Store } from '../../node/store.js';
import { ACCESS_TYPES, type AccessType, type AuthCommand, type RolePermission } from '../../replica/auth/auth-command.js';
import { ROOT, type Role } from '../../replica/auth/auth-state.js';
import { givenHash } from '../auth/given-hash.js';
import type { JwtTokens } from '../auth/jwt.js';
import type { Passwords } from '../auth/passwords.js';
import { digestOf } from '../auth/token-digest.js';
import { header } from './cluster-service.js';
import { addCold } from './cold.js';

/** The state moved while a password was compared: so often it is compared again. */
const ATTEMPTS = 8;
const EVERYTHING: RolePermission = { type: 'readwrite', key: new Uint8Array(0), rangeEnd: Uint8Array.of(0) };

const text = (request: Message, field: string): string => String(request[field] ?? '');
const bytes = (request: Message, field: string): Uint8Array => (request[field] as Uint8Array | undefined) ?? new Uint8Array(0);

function accessType(label: unknown): AccessType {
  const type = ACCESS_TYPES.find((each) => each.toUpperCase() === label);
  if (type === undefined) throw new EtcdError('INVALID_AUTH_MGMT');
  return type;
}

function permissionIn(request: Message): RolePermission {
  const perm = request['perm'] as Message | null | undefined;
  if (perm === null || perm === undefined) throw new EtcdError('PERMISSION_NOT_GIVEN');
  return { type: accessType(perm['permType']), key: bytes(perm, 'key'), rangeEnd: bytes(perm, 'range_end') };
}

function permissionsOf({ name, permissions }: Role): object[] {
  const told = name === ROOT ? [EVERYTHING] : permissions;
  return told.map(({ type, key, rangeEnd }) => ({ permType: type.toUpperCase(), key: Buffer.from(key), range_end: Buffer.from(rangeEnd) }));
}

/** What secrets are made and compared with. */
export interface Secrets {
  readonly passwords: Passwords;
  /** Undefined: tokens are simple ones. */
  readonly jwt?: JwtTokens | undefined;
}

async function authenticate(store: Store, { passwords, jwt }: Secrets, request: Message): Promise<string> {
  const user = text(request, 'name');
  for (let attempt = 1; ; attempt++) {
    const { hash, revision } = await store.auth.password(user);
    if (!(await passwords.isGood(text(request, 'password'), hash))) throw new EtcdError('AUTH_FAILED');
    // Of that auth state: if users and roles change meanwhile it is refused as an old one.
    if (jwt !== undefined) return jwt.sign({ user, revision });
    const secret = randomBytes(16).toString('hex');
    try {
      const { index } = await store.auth.change({ kind: 'authenticate', user, revision, token: digestOf(secret) });
      return `${secret}.${index}`;
    } catch (error) {
      if (codeOf(error) !== 'AUTH_OLD_REVISION' || attempt >= ATTEMPTS) throw error;
    }
  }
}

export function addAuth(table: Map<string, Method>, store: Store, secrets: Secrets): void {
  const { passwords } = secrets;
  const answer = (more: object = {}): object => ({ header: header(store, true), ...more });
  const change = async (command: AuthCommand, caller: Caller): Promise<object> => {
    await store.auth.change(command, caller);
    return answer();
  };
  // Whoever may not is refused before anything is done for them.
  const admitted = async (caller: Caller): Promise<void> => {
    await store.auth.catchUp(caller);
    store.access.requireRoot(caller);
  };
  const hashed = async (request: Message, caller: Caller): Promise<string> => {
    await admitted(caller);
    return passwords.hash(text(request, 'password'));
  };
  // The given hash counts where there is no password. One that cannot be read is refused, but of a
  // user who has no password it is not looked at.
  const changed = async (request: Message, caller: Caller): Promise<string> => {
    const given = text(request, 'hashedPassword');
    if (text(request, 'password') !== '' || given === '') return hashed(request, caller);
    await admitted(caller);
    const hash = givenHash(given);
    if (hash === undefined && (await store.auth.user(text(request, 'name'), caller)).hash !== undefined) throw new EtcdError('NO_PASSWORD_USER');
    return hash ?? '';
  };
  addCold(table, 'etcdserverpb.Auth', {
    AuthStatus: async () => {
      const { enabled, revision } = await store.auth.status();
      return answer({ enabled, authRevision: String(revision) });
    },
    Authenticate: async (request) => answer({ token: await authenticate(store, secrets, request) }),
    AuthEnable: (_request, caller) => change({ kind: 'enable' }, caller),
    AuthDisable: (_request, caller) => change({ kind: 'disable' }, caller),
    UserAdd: async (request, caller) => {
      const bare = (request['options'] as Message | null | undefined)?.['no_password'] === true;
      const hash = bare ? undefined : await hashed(request, caller);
      return change({ kind: 'user-add', user: text(request, 'name'), hash }, caller);
    },
    UserGet: async (request, caller) => answer({ roles: (await store.auth.user(text(request, 'name'), caller)).roles }),
    UserList: async (_request, caller) => answer({ users: (await store.auth.users(caller)).map(({ name }) => name) }),
    UserDelete: (request, caller) => change({ kind: 'user-delete', user: text(request, 'name') }, caller),
    UserChangePassword: async (request, caller) =>
      change({ kind: 'user-password', user: text(request, 'name'), hash: await changed(request, caller) }, caller),
    UserGrantRole: (request, caller) => change({ kind: 'user-grant', user: text(request, 'user'), role: text(request, 'role') }, caller),
    UserRevokeRole: (request, caller) => change({ kind: 'user-revoke', user: text(request, 'name'), role: text(request, 'role') }, caller),
    RoleAdd: (request, caller) => change({ kind: 'role-add', role: text(request, 'name') }, caller),
    RoleGet: async (request, caller) => answer({ perm: permissionsOf(await store.auth.role(text(request, 'role'), caller)) }),
    RoleList: async (_request, caller) => answer({ roles: (await store.auth.roles(caller)).map(({ name }) => name) }),
    RoleDelete: (request, caller) => change({ kind: 'role-delete', role: text(request, 'role') }, caller),
    RoleGrantPermission: async (request, caller) => {
      await admitted(caller);
      return change({ kind: 'role-grant', role: text(request, 'name'), permission: permissionIn(request) }, caller);
    },
    RoleRevokePermission: (request, caller) => change({
      kind: 'role-revoke', role: text(request, 'role'), range: { key: bytes(request, 'key'), rangeEnd: bytes(request, 'range_end') },
    }, caller),
  });
}
