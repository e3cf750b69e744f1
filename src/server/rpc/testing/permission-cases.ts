/**
 * What each method of the client port is asked for in the matrix of permissions, and who may: said
 * here a second time, beside the table that the port goes by, and by the request.
 */

/** Without a token, with one that is none, a user without a role, one with a role, and root. */
export const CALLERS = ['none', 'bad', 'wrong', 'right', 'root'] as const;
export type CallerName = (typeof CALLERS)[number];

/**
 * `keys`: a user whose role is for them, and root. `own`: those, of the user `right`, and root. The
 * others are rows of `permissions.ts`.
 */
export type Who = 'anyone' | 'token' | 'user' | 'root' | 'keys' | 'own';

export interface PermissionCase {
  readonly path: string;
  readonly who: Who;
  /** Of one caller: each asks for something that is there and that nobody else has changed. */
  readonly request: (caller: CallerName) => object;
  /** What root is told, if it is not an answer: a refusal for another reason. */
  readonly root?: RegExp;
}

const KEY = Buffer.from('a');
const END = Buffer.from('b');
const OTHER = Buffer.from('z');
/** Not of any role's. */
const BEYOND = Buffer.from('c');

/** What is made for each caller before: users, roles, leases. */
export const victim = (caller: CallerName): string => `victim-${caller}`;
export const LEASES = { bare: 100, own: 200, others: 300 } as const;
/** Of the n-th caller. */
const lease = (kind: keyof typeof LEASES, caller: CallerName): string => String(LEASES[kind] + CALLERS.indexOf(caller));
/** A member that is not there. */
const NO_MEMBER = '77777';

const kv = '/etcdserverpb.KV';
const leases = '/etcdserverpb.Lease';
const cluster = '/etcdserverpb.Cluster';
const maintenance = '/etcdserverpb.Maintenance';
const auth = '/etcdserverpb.Auth';
const election = '/v3electionpb.Election';

const same = (path: string, who: Who, request: object = {}, root?: RegExp): PermissionCase =>
  ({ path, who, request: () => request, ...(root === undefined ? {} : { root }) });
const each = (path: string, who: Who, request: PermissionCase['request'], root?: RegExp): PermissionCase =>
  ({ path, who, request, ...(root === undefined ? {} : { root }) });

/** In their order: what takes something away comes last. */
export const PERMISSION_CASES: readonly PermissionCase[] = [
  same(`${kv}/Range`, 'keys', { key: KEY, range_end: END }),
  same(`${kv}/Range`, 'root', { key: KEY, range_end: BEYOND }),
  same(`${kv}/RangeStream`, 'keys', { key: KEY, range_end: END }),
  same(`${kv}/RangeStream`, 'root', { key: KEY, range_end: BEYOND }),
  same(`${kv}/Put`, 'keys', { key: KEY, value: KEY, prev_kv: true }),
  same(`${kv}/Put`, 'root', { key: OTHER, value: KEY }),
  // A put with a lease is one of all keys of that lease.
  each(`${kv}/Put`, 'keys', (caller) => ({ key: KEY, value: KEY, lease: lease('own', caller) })),
  each(`${kv}/Put`, 'root', (caller) => ({ key: KEY, value: KEY, lease: lease('others', caller) })),
  same(`${kv}/DeleteRange`, 'keys', { key: Buffer.from('aa'), prev_kv: true }),
  same(`${kv}/DeleteRange`, 'root', { key: BEYOND }),
  same(`${kv}/Txn`, 'keys', { compare: [{ key: KEY, target: 'VERSION', version: '1' }], success: [{ request_put: { key: KEY, value: KEY } }] }),
  same(`${kv}/Txn`, 'root', { compare: [{ key: OTHER, target: 'VERSION', version: '1' }] }),
  same(`${kv}/Compact`, 'root', { revision: '1' }),

  same('/etcdserverpb.Watch/Watch', 'keys', { create_request: { key: KEY, range_end: END } }),
  same('/etcdserverpb.Watch/Watch', 'root', { create_request: { key: KEY, range_end: BEYOND } }),

  same(`${leases}/LeaseGrant`, 'user', { TTL: '600' }),
  each(`${leases}/LeaseKeepAlive`, 'user', (caller) => ({ ID: lease('bare', caller) })),
  // Who keeps it alive writes all of its keys.
  each(`${leases}/LeaseKeepAlive`, 'keys', (caller) => ({ ID: lease('own', caller) })),
  each(`${leases}/LeaseKeepAlive`, 'root', (caller) => ({ ID: lease('others', caller) })),
  each(`${leases}/LeaseTimeToLive`, 'user', (caller) => ({ ID: lease('others', caller) })),
  each(`${leases}/LeaseTimeToLive`, 'user', (caller) => ({ ID: lease('bare', caller), keys: true })),
  each(`${leases}/LeaseTimeToLive`, 'keys', (caller) => ({ ID: lease('own', caller), keys: true })),
  each(`${leases}/LeaseTimeToLive`, 'root', (caller) => ({ ID: lease('others', caller), keys: true })),
  // There are some that have keys of others.
  same(`${leases}/LeaseLeases`, 'root'),
  each(`${leases}/LeaseRevoke`, 'user', (caller) => ({ ID: lease('bare', caller) })),
  each(`${leases}/LeaseRevoke`, 'keys', (caller) => ({ ID: lease('own', caller) })),
  each(`${leases}/LeaseRevoke`, 'root', (caller) => ({ ID: lease('others', caller) })),

  same(`${cluster}/MemberList`, 'user'),
  same(`${cluster}/MemberAdd`, 'root', { peerURLs: ['http://x:1'], isLearner: true }),
  same(`${cluster}/MemberUpdate`, 'root', { ID: NO_MEMBER, peerURLs: ['http://x:2'] }, /member not found/),
  same(`${cluster}/MemberPromote`, 'root', { ID: NO_MEMBER }, /member not found/),
  same(`${cluster}/MemberRemove`, 'root', { ID: NO_MEMBER }, /member not found/),
  same('/kintsugi.v1.Members/Replace', 'root', { promoted: NO_MEMBER, removed: NO_MEMBER }, /member/),

  same(`${maintenance}/Alarm`, 'user', { action: 'GET' }),
  same(`${maintenance}/Alarm`, 'root', { action: 'DEACTIVATE', alarm: 'NOSPACE' }),
  same(`${maintenance}/Status`, 'user'),
  same(`${maintenance}/Defragment`, 'root'),
  same(`${maintenance}/Hash`, 'root'),
  same(`${maintenance}/HashKV`, 'root'),
  same(`${maintenance}/Snapshot`, 'root'),
  same(`${maintenance}/MoveLeader`, 'root', { targetID: NO_MEMBER }, /member|leader|learner/),
  same(`${maintenance}/Downgrade`, 'root', { action: 'CANCEL' }, /downgrad/),
  same('/kintsugi.v1.Heal/Status', 'user'),
  same('/kintsugi.v1.Heal/Hints', 'user'),
  same('/kintsugi.v1.Heal/Verify', 'root'),
  same('/kintsugi.v1.Heal/Scrub', 'root'),
  same('/kintsugi.v1.Backup/Save', 'root'),

  each('/v3lockpb.Lock/Lock', 'keys', (caller) => ({ name: Buffer.from(`a-lock-${caller}`) })),
  each('/v3lockpb.Lock/Lock', 'root', (caller) => ({ name: Buffer.from(`c-lock-${caller}`) })),
  same('/v3lockpb.Lock/Unlock', 'keys', { key: KEY }),
  same('/v3lockpb.Lock/Unlock', 'root', { key: BEYOND }),
  each(`${election}/Campaign`, 'keys', (caller) => ({ name: Buffer.from(`a-vote-${caller}`) })),
  each(`${election}/Campaign`, 'root', (caller) => ({ name: Buffer.from(`c-vote-${caller}`) })),
  same(`${election}/Proclaim`, 'keys', { leader: { name: KEY, key: KEY, rev: '1', lease: '9' } }, /./),
  same(`${election}/Proclaim`, 'root', { leader: { name: BEYOND, key: BEYOND, rev: '1', lease: '9' } }, /./),
  same(`${election}/Leader`, 'keys', { name: Buffer.from('a-vote-root') }),
  same(`${election}/Leader`, 'root', { name: Buffer.from('c-vote-root') }),
  same(`${election}/Observe`, 'keys', { name: Buffer.from('a-vote-root') }),
  same(`${election}/Observe`, 'root', { name: Buffer.from('c-vote-root') }),
  same(`${election}/Resign`, 'keys', { leader: { name: KEY, key: Buffer.from('a-none'), rev: '1', lease: '9' } }),
  same(`${election}/Resign`, 'root', { leader: { name: BEYOND, key: BEYOND, rev: '1', lease: '9' } }),

  same('/grpc.health.v1.Health/Check', 'anyone'),
  same('/grpc.health.v1.Health/Watch', 'anyone'),
  same('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', 'anyone'),
  same('/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', 'anyone'),

  same(`${auth}/Authenticate`, 'anyone', { name: 'right', password: 'secret-right' }),
  same(`${auth}/AuthStatus`, 'token'),
  same(`${auth}/AuthEnable`, 'root'),
  same(`${auth}/UserList`, 'root'),
  same(`${auth}/UserGet`, 'own', { name: 'right' }),
  same(`${auth}/UserGet`, 'root', { name: 'root' }),
  same(`${auth}/RoleList`, 'root'),
  same(`${auth}/RoleGet`, 'own', { role: 'r' }),
  same(`${auth}/RoleGet`, 'root', { role: 'other' }),
  each(`${auth}/UserAdd`, 'root', (caller) => ({ name: `new-${caller}`, password: 'p' })),
  each(`${auth}/UserAdd`, 'root', (caller) => ({ name: `newer-${caller}`, options: { no_password: true } })),
  each(`${auth}/RoleAdd`, 'root', (caller) => ({ name: `new-${caller}` })),
  each(`${auth}/UserGrantRole`, 'root', (caller) => ({ user: victim(caller), role: victim(caller) })),
  each(`${auth}/RoleGrantPermission`, 'root', (caller) => ({ name: victim(caller), perm: { permType: 'READ', key: KEY } })),
  // Their own is not theirs to change, either.
  each(`${auth}/UserChangePassword`, 'root', (caller) => ({ name: caller === 'right' ? 'right' : victim(caller), password: 'other' })),
  each(`${auth}/RoleRevokePermission`, 'root', (caller) => ({ role: victim(caller), key: KEY })),
  each(`${auth}/UserRevokeRole`, 'root', (caller) => ({ name: victim(caller), role: victim(caller) })),
  each(`${auth}/RoleDelete`, 'root', (caller) => ({ role: victim(caller) })),
  each(`${auth}/UserDelete`, 'root', (caller) => ({ name: victim(caller) })),
  same(`${auth}/AuthDisable`, 'root'),
];
